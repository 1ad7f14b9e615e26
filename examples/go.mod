module github.com/coagent/coagent/examples

go 1.23

require github.com/coagent/coagent/clients/go v0.1.0

replace github.com/coagent/coagent/clients/go => ../clients/go
