// Story tools: an agent that uses what it finds.
//
//	cd examples && go run ./tools
//
// It asks who is there and what they can do, and takes each operation for a tool: a name, a
// description and a JSON Schema, as a language model is given them. A model would choose the tool
// and its arguments; here a rule does, and so the answers are always the same.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"regexp"
	"slices"
	"strings"

	coagent "github.com/coagent/coagent/clients/go"
)

type Pair struct {
	A int `json:"a"`
	B int `json:"b"`
}

type Text struct {
	Text string `json:"text"`
}

type Arithmetic struct{}

func (Arithmetic) Add(_ context.Context, pair Pair) (int, error) {
	return pair.A + pair.B, nil
}

func (Arithmetic) Multiply(_ context.Context, pair Pair) (int, error) {
	return pair.A * pair.B, nil
}

type Writing struct{}

func (Writing) Reverse(ctx context.Context, text Text) (string, error) {
	letters := []rune(text.Text)
	slices.Reverse(letters)
	return string(letters), nil
}

func stateless[S any](context.Context) (instance S, err error) { return instance, nil }

// Tool is an operation of an agent, as a model would be shown it.
type Tool struct {
	address     string
	name        string
	description string
	parameters  map[string]struct{ Type string }
}

func newTool(agent coagent.AgentCard, operation coagent.OperationCard) (Tool, error) {
	var schema struct {
		Properties map[string]struct{ Type string }
	}
	err := json.Unmarshal(operation.Input, &schema)
	return Tool{agent.Name, operation.Name, operation.Description, schema.Properties}, err
}

func (t Tool) String() string {
	var parameters []string
	for _, name := range slices.Sorted(maps.Keys(t.parameters)) {
		parameters = append(parameters, name+": "+t.parameters[name].Type)
	}
	return fmt.Sprintf("%s(%s): %s", t.name, strings.Join(parameters, ", "), t.description)
}

var (
	number = regexp.MustCompile(`\d+`)
	quoted = regexp.MustCompile(`'([^']*)'`)
)

// arguments are the question's numbers and quoted texts, each where the schema has a place for it.
func (t Tool) arguments(question string) map[string]any {
	numbers := number.FindAllString(question, -1)
	texts := quoted.FindAllStringSubmatch(question, -1)
	arguments := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(t.parameters)) {
		switch {
		case t.parameters[name].Type == "integer" && len(numbers) > 0:
			arguments[name], numbers = json.Number(numbers[0]), numbers[1:]
		case t.parameters[name].Type == "string" && len(texts) > 0:
			arguments[name], texts = texts[0][1], texts[1:]
		}
	}
	return arguments
}

// Assistant answers questions with the tools that it finds.
type Assistant struct{ client *coagent.Client }

func (a Assistant) Answer(
	ctx context.Context, request *coagent.Request, out *coagent.Sender,
) error {
	question := request.Text()
	tools, err := a.tools(ctx)
	if err != nil {
		return err
	}
	if question == "what can you do?" {
		for _, tool := range tools {
			if err := out.Send(ctx, fmt.Sprintf("  %v", tool)); err != nil {
				return err
			}
		}
		return nil
	}
	words := strings.Fields(question)
	fits := func(tool Tool) bool { return slices.Contains(words, tool.name) }
	found := slices.IndexFunc(tools, fits)
	if found < 0 {
		return out.Send(ctx, "  I have no tool for that")
	}
	tool := tools[found]
	answer, err := a.client.Call(ctx, tool.address, tool.arguments(question),
		coagent.WithType(tool.name))
	if err != nil {
		return err
	}
	return out.Send(ctx, fmt.Sprintf("  %s of %s: %s", tool.name, tool.address, answer.Text()))
}

func (a Assistant) tools(ctx context.Context) ([]Tool, error) {
	agents, err := a.client.Discover(ctx, "tools", coagent.Detailed())
	if err != nil {
		return nil, err
	}
	var tools []Tool
	for _, agent := range agents {
		for _, operation := range agent.Operations {
			tool, err := newTool(agent, operation)
			if err != nil {
				return nil, err
			}
			tools = append(tools, tool)
		}
	}
	return tools, nil
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer client.Close()
	for name, agent := range map[string]coagent.Agent{
		"tools.math": coagent.Sessions(stateless[Arithmetic],
			coagent.Operation("add", Arithmetic.Add).Described("The sum of two numbers"),
			coagent.Operation("multiply", Arithmetic.Multiply).Described("The product of two numbers")),
		"tools.writing": coagent.Sessions(stateless[Writing],
			coagent.Operation("reverse", Writing.Reverse).
				Described("A text from its end to its beginning")),
		"assistant": coagent.Handler(Assistant{client}.Answer),
	} {
		if _, err := client.Register(ctx, name, agent); err != nil {
			return err
		}
	}

	for _, question := range []string{
		"what can you do?",
		"please add 19 and 23",
		"and multiply 6 by 7",
		"now reverse 'stressed'",
		"what is love?",
	} {
		fmt.Println(question)
		for line, err := range client.Stream(ctx, "assistant", question) {
			if err != nil {
				return err
			}
			fmt.Println(line.Text())
		}
	}
	return nil
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
