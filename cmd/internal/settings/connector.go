package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"millrace/plugins/properties"
)

// A Connector is what a connector file describes. A nil value in Config is a JSON null.
type Connector struct {
	Name         string
	Config       map[string]*string
	InitialState string
	Path         string
}

// ReadConnector reads a connector file: .properties, or JSON as a flat map or as the body of POST /connectors, whose
// unknown members are ignored.
func ReadConnector(path string) (Connector, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Connector{}, fmt.Errorf("connector file: %w", err)
	}
	c := Connector{Path: path}
	if filepath.Ext(path) == ".json" || bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		err = c.fromJSON(data)
	} else {
		err = c.fromProperties(data)
	}
	if err != nil {
		return Connector{}, err
	}
	if c.Name == "" && c.Config["name"] != nil {
		c.Name = *c.Config["name"]
	}
	if c.Name == "" {
		return Connector{}, fmt.Errorf("%s: name is missing: a connector file needs a line name=... (or a member \"name\")", path)
	}
	if c.Config["name"] == nil {
		c.Config["name"] = &c.Name
	}
	return c, nil
}

func (c *Connector) fromProperties(data []byte) error {
	entries, err := properties.Parse(data)
	if err != nil {
		return placed(c.Path, err)
	}
	c.Config = make(map[string]*string)
	for _, e := range entries {
		c.Config[e.Key] = &e.Value
	}
	return nil
}

func (c *Connector) fromJSON(data []byte) error {
	var members map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&members); err != nil {
		return fmt.Errorf("%s:%d: %w", c.Path, lineOf(data, offsetOf(err, d)), err)
	}
	if d.More() {
		return fmt.Errorf("%s:%d: text after the JSON object", c.Path, lineOf(data, d.InputOffset()))
	}
	config, isBody := members["config"]
	isBody = isBody && strings.HasPrefix(strings.TrimSpace(string(config)), "{")
	if isBody {
		for member, into := range map[string]*string{"name": &c.Name, "initial_state": &c.InitialState} {
			if raw, ok := members[member]; ok {
				if err := json.Unmarshal(raw, into); err != nil {
					return fmt.Errorf("%s: %s: want a string, got %s", c.Path, member, raw)
				}
			}
		}
		members = nil
		if err := json.Unmarshal(config, &members); err != nil {
			return fmt.Errorf("%s: config: %w", c.Path, err)
		}
	}
	c.Config = make(map[string]*string, len(members))
	var errs []error
	for key, raw := range members {
		value, err := scalar(raw)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", c.Path, key, err))
		}
		c.Config[key] = value
	}
	return errors.Join(errs...)
}

// scalar turns a JSON scalar into the text that a configuration holds; null stays null.
func scalar(raw json.RawMessage) (*string, error) {
	text := string(raw)
	switch {
	case text == "null":
		return nil, nil
	case text[0] == '"':
		err := json.Unmarshal(raw, &text)
		return &text, err
	case text[0] == '{' || text[0] == '[':
		return nil, fmt.Errorf("want a string, a number, true or false, got %s", text)
	}
	return &text, nil
}

func offsetOf(err error, d *json.Decoder) int64 {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Offset
	}
	return d.InputOffset()
}

func lineOf(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
}
