package mirror

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kgo"
)

// An Environment is what the connectors need from the program they are part of.
type Environment struct {
	Clients Clients
	// Regex compiles a regular expression of Java's into a function that reports whether it matches a whole name. nil takes Go's own, which
	// cannot look around.
	Regex func(pattern string) (func(name string) bool, error)
}

// Clients makes clients of Kafka from settings with Kafka's names. Without bootstrap.servers they go to the log of the worker.
type Clients interface {
	// Reader returns the options of a consumer without a group.
	Reader(clientID string, props map[string]string) ([]kgo.Opt, error)
	Producer(clientID string, props map[string]string) (*kgo.Client, error)
	Admin(clientID string, props map[string]string) (*kgo.Client, error)
}

func goRegex(pattern string) (func(string) bool, error) {
	r, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, err
	}
	return r.MatchString, nil
}
