// CoagentClient
