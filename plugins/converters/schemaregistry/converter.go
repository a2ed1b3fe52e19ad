package schemaregistry

import (
	"fmt"
	"slices"
	"time"

	"millrace/connectors"
)

// A Format is what a converter has of its own: Avro, Protobuf or JSON Schema.
type Format interface {
	// Name is the registry's name of the format.
	Name() string
	// Definition returns the converter's keys, made with the function Definition.
	Definition() *connectors.ConfigDef
	// Configure takes the parsed keys.
	Configure(values connectors.Values) error
	// Translate returns a Connect schema in the format, and the full name of its record, "" if it is none.
	Translate(schema *connectors.Schema) (text, record string, err error)
	// Writer returns what writes values of a Connect schema with a registered one.
	Writer(schema *connectors.Schema, target Source) (Writer, error)
	// Reader returns what reads payloads written with a registered schema. Reader calls version at most once and with the
	// name of the record, for the version that a Connect schema takes from the subject (0 is none).
	Reader(source Source, version func(record string) (int32, error)) (Reader, error)
}

// A Source is a registered schema with all that it refers to, directly or not, in an order in which each only needs those
// before it.
type Source struct {
	Text       string
	References []Named
	// Strict says that a value with more fields than Text has is an error.
	Strict bool
}

// A Writer appends the payload of values of one schema.
type Writer interface {
	Append(b []byte, value any) ([]byte, error)
}

// A Reader reads the payloads of one schema. The value may share memory with payload.
type Reader interface {
	Read(payload []byte) (connectors.SchemaAndValue, error)
}

// A Converter is a connectors.Converter of a Format: it frames, asks the registry and keeps what the format compiled.
type Converter struct {
	format  Format
	serde   *serde
	arena   arena
	writers *Cache[writeKey, *target]
	readers *Cache[readKey, Reader]

	lastWrite  writeKey
	lastTarget *target
	lastRead   readKey
	lastReader Reader
}

var _ connectors.Converter = (*Converter)(nil)

type writeKey struct {
	topic  string
	schema *connectors.Schema
}

type readKey struct {
	topic string
	id    int32
}

// A target is where records of one topic and schema go.
type target struct {
	subject string
	own     Schema
	id      int32
	header  []byte
	writer  Writer
	until   time.Time // zero is for ever
}

// New returns a converter of a format.
func New(format Format) *Converter { return &Converter{format: format} }

// Configure is part of connectors.Converter.
func (c *Converter) Configure(config map[string]string, isKey bool) error {
	serde, values, err := newSerde(c.format.Definition(), config, c.format.Name(), isKey)
	if err != nil {
		return err
	}
	if err := c.format.Configure(values); err != nil {
		return err
	}
	c.serde = serde
	c.writers = NewCache[writeKey, *target](serde.cacheSize)
	c.readers = NewCache[readKey, Reader](serde.cacheSize)
	return nil
}

// Close is part of connectors.Converter.
func (c *Converter) Close() error {
	c.serde.close()
	return nil
}

// FromConnect is part of connectors.Converter. Values without a schema get the one that their types imply.
func (c *Converter) FromConnect(topic string, _ connectors.Headers, schema *connectors.Schema, value any) ([]byte, error) {
	if value == nil {
		switch {
		case schema == nil:
			return nil, nil
		case schema.Default != nil:
			value = schema.Default
		case schema.Optional:
			return nil, nil
		default:
			return nil, &connectors.DataError{Msg: fmt.Sprintf("topic %s: null for %s, which is neither optional nor has a default", topic, schema)}
		}
	}
	if schema == nil {
		var err error
		if schema, err = connectors.InferSchema(value); err != nil || schema == nil {
			return nil, &connectors.DataError{Cause: err, Msg: fmt.Sprintf(
				"topic %s: no schema can be told from a %s without one; have the connector or a transform give it one",
				topic, connectors.TypeName(value))}
		}
	}
	t, err := c.target(topic, schema)
	if err != nil {
		return nil, err
	}
	b, err := t.writer.Append(append(c.arena.begin(), t.header...), value)
	if err != nil {
		return nil, err
	}
	return c.arena.end(b), nil
}

// target returns where to write records of a schema.
func (c *Converter) target(topic string, schema *connectors.Schema) (*target, error) {
	key := writeKey{topic, schema}
	t := c.lastTarget
	if key != c.lastWrite || t == nil {
		var ok bool
		switch t, ok = c.writers.Get(key); {
		case ok:
		case c.lastTarget != nil && c.lastWrite.topic == topic && c.lastWrite.schema.Equal(schema):
			t = c.lastTarget // a connector that makes a schema for every record
		default:
			t = nil
		}
	}
	if t == nil || !t.until.IsZero() && time.Now().After(t.until) {
		var err error
		if t, err = c.resolve(topic, schema, t); err != nil {
			return nil, err
		}
		c.writers.Put(key, t)
	}
	c.lastWrite, c.lastTarget = key, t
	return t, nil
}

// resolve asks the registry. old is what it said before, nil if it was not asked.
func (c *Converter) resolve(topic string, schema *connectors.Schema, old *target) (*target, error) {
	t := &target{id: -1}
	if old != nil {
		*t = *old
	} else {
		text, record, err := c.format.Translate(schema)
		if err != nil {
			return nil, err
		}
		t.own = Schema{Type: c.format.Name(), Text: text}
		if t.subject, err = c.serde.strategy.subject(topic, record, c.serde.isKey); err != nil {
			return nil, err
		}
	}
	registered, err := c.serde.resolve(t.subject, t.own)
	if err != nil {
		return nil, err
	}
	t.until = registered.until
	if registered.ID == t.id {
		return t, nil
	}
	references, err := c.serde.references(registered.Schema)
	if err != nil {
		return nil, err
	}
	source := Source{Text: registered.Text, References: references, Strict: c.serde.strict || c.serde.own()}
	if t.writer, err = c.format.Writer(schema, source); err != nil {
		return nil, fmt.Errorf("subject %s, schema %d: %w", t.subject, registered.ID, err)
	}
	t.id = registered.ID
	t.header = appendHeader(nil, t.id)
	return t, nil
}

// ToConnect is part of connectors.Converter.
func (c *Converter) ToConnect(topic string, _ connectors.Headers, data []byte) (connectors.SchemaAndValue, error) {
	if data == nil {
		return connectors.SchemaAndValue{}, nil
	}
	id, payload, err := readHeader(data)
	if err != nil {
		return connectors.SchemaAndValue{}, err
	}
	key := readKey{topic, id}
	reader := c.lastReader
	if key != c.lastRead || reader == nil {
		var ok bool
		if reader, ok = c.readers.Get(key); !ok {
			if reader, err = c.reader(key); err != nil {
				return connectors.SchemaAndValue{}, err
			}
			c.readers.Put(key, reader)
		}
		c.lastRead, c.lastReader = key, reader
	}
	result, err := reader.Read(slices.Clip(payload)) // nothing appends into the next record
	if err != nil {
		return connectors.SchemaAndValue{}, fmt.Errorf("topic %s, schema %d: %w", topic, id, err)
	}
	return result, nil
}

func (c *Converter) reader(key readKey) (Reader, error) {
	schema, err := c.serde.schema(key.topic, key.id)
	if err != nil {
		return nil, err
	}
	references, err := c.serde.references(schema)
	if err != nil {
		return nil, err
	}
	reader, err := c.format.Reader(Source{Text: schema.Text, References: references}, func(record string) (int32, error) {
		return c.serde.version(key, record, schema)
	})
	if err != nil {
		return nil, fmt.Errorf("topic %s, schema %d: %w", key.topic, key.id, err)
	}
	return reader, nil
}
