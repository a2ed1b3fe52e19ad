package transforms_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"millrace/connectors"
	"millrace/plugins/internal/golden"
	"millrace/plugins/transforms"
)

// A chainCase is a chain of transforms that Kafka's runtime applied to a record.
type chainCase struct {
	Name  string
	Chain []struct {
		Class, Predicate string
		Config           map[string]*string
		Negate           bool
	}
	Predicates map[string]struct {
		Class  string
		Config map[string]*string
	}
	Input  record
	Output json.RawMessage
}

type record struct {
	Kind, Topic       string
	Partition         *int32
	Offset, Timestamp *int64
	Key, Value        golden.Data
	Headers           []struct {
		Name string
		golden.Data
	}
}

func (r record) decode(t *testing.T) *connectors.SinkRecord {
	t.Helper()
	decoded := func(d golden.Data) (*connectors.Schema, any) {
		v, err := d.Decode()
		if err != nil {
			t.Fatal(err)
		}
		return v.Schema, v.Value
	}
	s := &connectors.SinkRecord{Record: connectors.Record{
		Topic: r.Topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp,
	}}
	s.KeySchema, s.Key = decoded(r.Key)
	s.ValueSchema, s.Value = decoded(r.Value)
	if r.Partition != nil {
		s.Partition = *r.Partition
	}
	if r.Timestamp != nil {
		s.Timestamp = *r.Timestamp
	}
	if r.Offset != nil {
		s.Offset = *r.Offset
	}
	for _, h := range r.Headers {
		schema, v := decoded(h.Data)
		s.Headers = append(s.Headers, connectors.Header{Key: h.Name, Schema: schema, Value: v})
	}
	return s
}

func find(t *testing.T, kind connectors.Kind, class string) connectors.Plugin {
	t.Helper()
	for _, p := range transforms.Plugins() {
		if p.Kind == kind && p.Class == class {
			return p
		}
	}
	t.Fatalf("no %s %s", kind, class)
	return connectors.Plugin{}
}

func TestTransformsGolden(t *testing.T) {
	count := 0
	for _, file := range golden.Files(t, "transforms") {
		base := filepath.Base(file)
		if base == "configs.json" || base == "definitions.json" {
			continue
		}
		for _, c := range golden.Cases[chainCase](t, file) {
			count++
			t.Run(base+"/"+c.Name, func(t *testing.T) { c.run(t) })
		}
	}
	t.Logf("golden: %d cases", count)
}

func (c chainCase) run(t *testing.T) {
	var failure golden.Error
	if err := json.Unmarshal(c.Output, &failure); err != nil {
		t.Fatal(err)
	}
	chain, err := c.configure(t)
	if err != nil || failure.Phase == "configure" {
		if failure.Phase != "configure" {
			t.Fatalf("configure: %v", err)
		}
		golden.CheckError(t, err, &failure)
		return
	}
	if c.Input.Timestamp != nil && *c.Input.Timestamp == connectors.NoTimestamp {
		t.Log("exception: a timestamp of -1 means none here; Kafka's producer refuses it")
		return
	}
	got := c.Input.decode(t)
	before := c.Input.decode(t)
	original := *got
	keep := true
	for _, apply := range chain {
		if keep, err = apply(got); err != nil || !keep {
			break
		}
	}
	compareRecords(t, "input (which must not change)", &original, before)
	if failure.Error != "" {
		golden.CheckError(t, err, &failure)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if dropped := string(c.Output) == "null"; dropped || !keep {
		if keep == dropped {
			t.Errorf("kept: %v", keep)
		}
		return
	}
	var want record
	if err := json.Unmarshal(c.Output, &want); err != nil {
		t.Fatal(err)
	}
	compareRecords(t, "output", got, want.decode(t))
}

type link func(*connectors.SinkRecord) (bool, error)

// configure returns the chain with its predicates, as the runtime would apply it.
func (c chainCase) configure(t *testing.T) ([]link, error) {
	var chain []link
	for _, step := range c.Chain {
		p := find(t, connectors.KindTransform, step.Class)
		tr := p.NewTransform()
		if err := configure(p, tr, step.Config); err != nil {
			return nil, err
		}
		apply := func(r *connectors.SinkRecord) (bool, error) {
			if st, ok := tr.(connectors.SinkTransform); ok && c.Input.Kind == "sink" {
				return st.ApplySink(context.Background(), r)
			}
			return tr.Apply(context.Background(), &r.Record)
		}
		if step.Predicate == "" {
			chain = append(chain, apply)
			continue
		}
		def := c.Predicates[step.Predicate]
		pp := find(t, connectors.KindPredicate, def.Class)
		predicate := pp.NewPredicate()
		if err := configure(pp, predicate, def.Config); err != nil {
			return nil, err
		}
		chain = append(chain, func(r *connectors.SinkRecord) (bool, error) {
			if yes, err := predicate.Test(&r.Record); err != nil || yes == step.Negate {
				return true, err
			}
			return apply(r)
		})
	}
	return chain, nil
}

// configure configures a plugin with a configuration that may have explicit nulls: those the runtime refuses, and the
// definition says how.
func configure(p connectors.Plugin, c interface{ Configure(map[string]string) error }, config connectors.RawConfig) error {
	if _, err := p.Config.Parse(config); err != nil {
		return err
	}
	return c.Configure(config.Strings())
}

func compareRecords(t *testing.T, what string, got, want *connectors.SinkRecord) {
	t.Helper()
	if got.Topic != want.Topic || got.Partition != want.Partition || got.Timestamp != want.Timestamp {
		t.Errorf("%s: got %s-%d at %d, want %s-%d at %d", what, got.Topic, got.Partition, got.Timestamp, want.Topic, want.Partition, want.Timestamp)
	}
	data := func(s *connectors.Schema, v any) connectors.SchemaAndValue {
		return connectors.SchemaAndValue{Schema: s, Value: v}
	}
	golden.Compare(t, what+" key", data(got.KeySchema, got.Key), data(want.KeySchema, want.Key))
	golden.Compare(t, what+" value", data(got.ValueSchema, got.Value), data(want.ValueSchema, want.Value))
	if len(got.Headers) != len(want.Headers) {
		t.Errorf("%s: got headers %v, want %v", what, got.Headers, want.Headers)
		return
	}
	for i, h := range want.Headers {
		if got.Headers[i].Key != h.Key {
			t.Errorf("%s: header %d is %s, want %s", what, i, got.Headers[i].Key, h.Key)
		}
		golden.Compare(t, what+" header "+h.Key, data(got.Headers[i].Schema, got.Headers[i].Value), data(h.Schema, h.Value))
	}
}

// A configCase is what validation and configuring said to a configuration.
type configCase struct {
	Name, Class string
	Config      map[string]*string
	Validate    map[string][]string
	Configure   *golden.Error
}

func TestConfigsGolden(t *testing.T) {
	count := 0
	for _, file := range golden.Files(t, "transforms") {
		if filepath.Base(file) != "configs.json" {
			continue
		}
		for _, c := range golden.Cases[configCase](t, file) {
			count++
			t.Run(c.Name, func(t *testing.T) { c.run(t) })
		}
	}
	t.Logf("golden: %d cases", count)
}

func (c configCase) run(t *testing.T) {
	i := slices.IndexFunc(transforms.Plugins(), func(p connectors.Plugin) bool { return p.Class == c.Class })
	if i < 0 {
		t.Fatalf("no %s", c.Class)
	}
	p := transforms.Plugins()[i]
	for _, v := range p.Config.Validate(c.Config) {
		want := c.Validate[v.Name]
		if len(v.Errors) != len(want) {
			t.Errorf("%s: got %q, want %q", v.Name, v.Errors, want)
			continue
		}
		for i, msg := range want {
			golden.CheckError(t, &connectors.ConfigError{Msg: v.Errors[i]}, &golden.Error{Error: "ConfigException", Message: msg})
		}
	}
	var err error
	if p.Kind == connectors.KindPredicate {
		err = configure(p, p.NewPredicate(), c.Config)
	} else {
		err = configure(p, p.NewTransform(), c.Config)
	}
	if c.Configure != nil {
		golden.CheckError(t, err, c.Configure)
	} else if err != nil && !nulls(c.Config) {
		t.Errorf("configure: %v", err)
	}
}

// nulls reports whether a configuration has a null, which validation refuses before anything is configured.
func nulls(config map[string]*string) bool {
	for _, v := range config {
		if v == nil {
			return true
		}
	}
	return false
}

// TestDefinitions compares the keys of each class with Kafka's.
func TestDefinitions(t *testing.T) {
	for _, want := range golden.Cases[golden.Definition](t, "testdata/definitions.json") {
		for _, p := range transforms.Plugins() {
			if p.Class == want.Class {
				want.Compare(t, p.Config)
			}
		}
	}
}
