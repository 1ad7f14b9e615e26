// Story discovery: who is there, what they can do, and who comes and goes.
//
//	cd examples && go run ./discovery
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log"
	"maps"
	"slices"
	"strings"

	coagent "github.com/coagent/coagent/clients/go"
)

// Search is what discovery shows as a JSON Schema.
type Search struct {
	Author string `json:"author"`
	Before int    `json:"before"`
}

type Books struct{}

func openBooks(context.Context) (Books, error) { return Books{}, nil }

func (Books) Find(ctx context.Context, search Search) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		yield(fmt.Sprintf("a book by %s before %d", search.Author, search.Before), nil)
	}
}

func stock(context.Context, struct{}) (string, error) { return "plenty", nil }

func register(ctx context.Context, client *coagent.Client) error {
	books := coagent.Sessions(openBooks, coagent.StreamOperation("find", Books.Find).
		Described("Titles of an author, up to a year"))
	_, err := client.Register(ctx, "shop.books", books,
		coagent.WithDescription("Sells books"), coagent.WithVersion("1.2"))
	if err != nil {
		return err
	}
	_, err = client.Register(ctx, "shop.music", coagent.Func(stock),
		coagent.WithDescription("Sells records"))
	if err != nil {
		return err
	}
	_, err = client.Register(ctx, "shop.music.jazz", coagent.Func(stock),
		coagent.WithLabels(map[string]string{"mood": "blue"}))
	return err
}

// list prints who is there. Dots make namespaces.
func list(ctx context.Context, client *coagent.Client) error {
	blue := coagent.WithLabels(map[string]string{"mood": "blue"})
	for _, each := range []struct {
		label   string
		options []coagent.DiscoverOption
	}{
		{"in shop", nil},
		{"below shop", []coagent.DiscoverOption{coagent.Recursive()}},
		{"in a blue mood", []coagent.DiscoverOption{coagent.Recursive(), blue}},
	} {
		agents, err := client.Discover(ctx, "shop", each.options...)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", each.label, names(agents))
	}
	return nil
}

func describe(ctx context.Context, client *coagent.Client) error {
	agents, err := client.Discover(ctx, "shop", coagent.Detailed())
	if err != nil {
		return err
	}
	books := agents[0]
	fmt.Printf("%s %s: %s\n", books.Name, books.Version, books.Description)
	for _, each := range books.Operations {
		var schema struct {
			Properties map[string]struct{ Type string }
		}
		if err := json.Unmarshal(each.Input, &schema); err != nil {
			return err
		}
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			fields = append(fields, name+": "+schema.Properties[name].Type)
		}
		fmt.Printf("  %s(%s): %s\n", each.Name, strings.Join(fields, ", "), each.Description)
	}
	return nil
}

// watch is told what there is, and then every change.
func watch(ctx context.Context, client *coagent.Client) error {
	next, stop := iter.Pull2(client.Watch(ctx, "shop.music", coagent.Recursive()))
	defer stop()
	change, err, _ := next()
	if err != nil {
		return err
	}
	fmt.Println("there is:", names(change.Registered))

	blues, err := client.Register(ctx, "shop.music.blues", coagent.Func(stock))
	if err != nil {
		return err
	}
	if change, err, _ = next(); err != nil {
		return err
	}
	fmt.Println("came:", names(change.Registered))

	if err := blues.Close(); err != nil {
		return err
	}
	if change, err, _ = next(); err != nil {
		return err
	}
	fmt.Println("went:", strings.Join(change.Deregistered, ", "))
	return nil
}

func names(agents []coagent.AgentCard) string {
	var names []string
	for _, agent := range agents {
		names = append(names, agent.Name)
	}
	return strings.Join(names, ", ")
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer client.Close()
	type chapter func(context.Context, *coagent.Client) error
	for _, tell := range []chapter{register, list, describe, watch} {
		if err := tell(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
