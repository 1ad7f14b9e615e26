module github.com/coagent/coagent/bench/go

go 1.23

require github.com/coagent/coagent/clients/go v0.0.0

replace github.com/coagent/coagent/clients/go => ../../clients/go
