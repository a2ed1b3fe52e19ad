package schemaregistry

import (
	"fmt"
	"strings"
	"time"

	"millrace/connectors"
)

// typeKey is the key by which the runtime tells a converter what it converts. Converters do not look at it.
var typeKey = connectors.ConfigKey{
	Name: "converter.type", Type: connectors.ConfigString, Required: true, Importance: connectors.Low,
	Validator: connectors.In("key", "value", "header"),
	Doc:       "What the converter is used for: key, value or header. Set by the worker.",
}

// Definition returns the definition of a converter with keys of its own beside those of the registry.
func Definition(own ...connectors.ConfigKey) *connectors.ConfigDef {
	return connectors.NewConfigDef(typeKey).With(keys()...).With(own...)
}

// A serde is a converter's view of the registry: which schema to write with under which id, and which schema an id means.
// It is used by one goroutine at a time.
type serde struct {
	client       *Client
	cacheSize    int
	format       string
	isKey        bool
	strategy     strategy
	autoRegister bool
	useLatest    bool
	strict       bool
	normalize    bool
	useID        int32
	latestTTL    time.Duration // negative is for ever

	ids *Cache[resolveKey, resolution]
}

type resolveKey struct{ subject, text string }

// A resolution is a schema to write with.
type resolution struct {
	Registered
	until time.Time // when to ask again; zero is never
}

// newSerde parses a configuration by def and returns the parsed values with a serde for schemas of a format.
func newSerde(def *connectors.ConfigDef, config map[string]string, format string, isKey bool) (*serde, connectors.Values, error) {
	raw := connectors.Raw(config)
	kind := "value"
	raw[typeKey.Name] = &kind
	values, err := def.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	reach, err := newConfig(values, config)
	if err != nil {
		return nil, nil, err
	}
	s := &serde{
		cacheSize: int(values.Int(cacheKey)), client: NewClient(reach), format: format, isKey: isKey,
		autoRegister: values.Bool(autoRegisterKey), useLatest: values.Bool(useLatestKey), strict: values.Bool(strictKey),
		normalize: values.Bool(normalizeKey), useID: values.Int(useIDKey),
		latestTTL: time.Duration(values.Long(latestTTLKey)) * time.Second,
	}
	key := valueStrategyKey
	if isKey {
		key = keyStrategyKey
	}
	s.strategy, _ = strategyOf(values.String(key)) // the definition has checked the name
	s.ids = NewCache[resolveKey, resolution](s.cacheSize)
	return s, values, nil
}

func (s *serde) close() {
	if s != nil {
		s.client.Close()
	}
}

// own reports whether records are written with their own schema, so that resolve returns the one it is given.
func (s *serde) own() bool { return s.autoRegister || !s.useLatest && s.useID < 0 }

// resolve returns the schema to write under a subject, with its id: own after registering it or finding it there, or the
// one that the configuration asks for.
func (s *serde) resolve(subject string, own Schema) (resolution, error) {
	key := resolveKey{subject, own.Text}
	if !s.own() {
		key.text = ""
	}
	if r, ok := s.ids.Get(key); ok && (r.until.IsZero() || time.Now().Before(r.until)) {
		return r, nil
	}
	registered, err := s.ask(subject, own)
	if err != nil {
		return resolution{}, err
	}
	if err := s.rightFormat(registered.ID, registered.Schema); err != nil {
		return resolution{}, err
	}
	r := resolution{Registered: registered}
	if !s.own() && s.useID < 0 && s.latestTTL >= 0 {
		r.until = time.Now().Add(s.latestTTL)
	}
	s.ids.Put(key, r)
	return r, nil
}

func (s *serde) ask(subject string, own Schema) (Registered, error) {
	switch {
	case s.autoRegister:
		return s.client.Register(subject, own, s.normalize)
	case s.useID >= 0:
		schema, err := s.client.ByID(s.useID, subject)
		return Registered{Schema: schema, Subject: subject, ID: s.useID}, err
	case s.useLatest:
		return s.client.ByVersion(subject, 0)
	}
	found, err := s.client.Lookup(subject, own, s.normalize)
	found.Schema = own
	return found, err
}

// schema returns the schema with an id.
func (s *serde) schema(topic string, id int32) (Schema, error) {
	subject := ""
	if !s.strategy.byRecord {
		var err error
		if subject, err = s.strategy.subject(topic, "", s.isKey); err != nil {
			return Schema{}, err
		}
	}
	schema, err := s.client.ByID(id, subject)
	if err == nil {
		err = s.rightFormat(id, schema)
	}
	return schema, err
}

// version returns the version that a schema has under the subject of a record; 0 if the subject does not have it.
func (s *serde) version(key readKey, record string, schema Schema) (int32, error) {
	subject, err := s.strategy.subject(key.topic, record, s.isKey)
	if err != nil {
		return 0, nil //nolint:nilerr // a schema without a record has no subject to take a version from
	}
	found, err := s.client.Lookup(subject, schema, s.normalize)
	if err != nil && !notFound(err) {
		return 0, err
	}
	return found.Version, nil
}

// maxReferences bounds how many schemas one may need.
const maxReferences = 1000

// A Named is a schema's text with the name that another refers to it by.
type Named struct{ Name, Text string }

// references returns all schemas that schema refers to, directly or not; those that others need come first.
func (s *serde) references(schema Schema) ([]Named, error) {
	var list []Named
	seen := make(map[string]bool)
	var visit func(Schema) error
	visit = func(schema Schema) error {
		for _, r := range schema.References {
			if seen[r.Name] {
				continue
			}
			seen[r.Name] = true
			if len(seen) > maxReferences {
				return &connectors.DataError{Msg: fmt.Sprintf("a schema refers to more than %d others", maxReferences)}
			}
			found, err := s.client.ByVersion(r.Subject, r.Version)
			if err != nil {
				return err
			}
			if err := visit(found.Schema); err != nil {
				return err
			}
			list = append(list, Named{r.Name, found.Text})
		}
		return nil
	}
	return list, visit(schema)
}

func (s *serde) rightFormat(id int32, schema Schema) error {
	format := schema.Type
	if format == "" {
		format = Avro
	}
	if !strings.EqualFold(format, s.format) {
		return &connectors.DataError{Msg: fmt.Sprintf("schema %d has format %s, but this converter is for %s", id, format, s.format)}
	}
	return nil
}
