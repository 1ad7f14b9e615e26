module github.com/coagent/coagent/clients/go

go 1.23
