package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/plugins/converters"
	"millrace/plugins/transforms"
	"millrace/runtime/internal/pipeline"
)

// fake is a transform that appends its text to values, and a predicate that wants values to have it.
type fake struct {
	text string
	fail func() error
}

func (f *fake) Configure(config map[string]string) error {
	f.text = config["text"]
	if f.text == "" {
		return &connectors.ConfigError{Msg: "text: must not be empty"}
	}
	return nil
}

func (f *fake) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	if f.fail != nil {
		if err := f.fail(); err != nil {
			return false, err
		}
	}
	if f.text == "drop" {
		return false, nil
	}
	r.Value = r.Value.(string) + f.text
	return true, nil
}

func (f *fake) Test(r *connectors.Record) (bool, error) {
	return strings.Contains(r.Value.(string), f.text), nil
}

func (f *fake) Close() error { return nil }

func registry(t *testing.T, fail func() error) *plugins.Registry {
	t.Helper()
	reg := plugins.New()
	none := connectors.NewConfigDef()
	err := errors.Join(reg.Add(converters.Plugins()...), reg.Add(transforms.Plugins()...), reg.Add(
		connectors.Plugin{Kind: connectors.KindTransform, Class: "test.Append", Config: none,
			NewTransform: func() connectors.Transform { return &fake{fail: fail} }},
		connectors.Plugin{Kind: connectors.KindPredicate, Class: "test.Has", Config: none,
			NewPredicate: func() connectors.Predicate { return &fake{} }}))
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func build(t *testing.T, fail func() error, config map[string]string, reporters ...pipeline.Reporter) (*pipeline.Pipeline, error) {
	t.Helper()
	text := pipeline.Converter{Class: "StringConverter"}
	return pipeline.New(pipeline.Config{
		Connector: "c", Config: config, Registry: registry(t, fail), Key: text, Value: text,
		Header: pipeline.Converter{Class: "SimpleHeaderConverter"}, Reporters: reporters, Logger: slog.New(slog.DiscardHandler),
	})
}

func TestTransform(t *testing.T) {
	chain := func(more ...string) map[string]string {
		config := map[string]string{
			"transforms": "a,b", "transforms.a.type": "test.Append", "transforms.a.text": "1",
			"transforms.b.type": "test.Append", "transforms.b.text": "2",
			"predicates": "p", "predicates.p.type": "test.Has", "predicates.p.text": "x",
		}
		for i := 0; i < len(more); i += 2 {
			config[more[i]] = more[i+1]
		}
		return config
	}
	tests := []struct {
		name     string
		config   map[string]string
		in, want string // want "" is dropped
	}{
		{"in order", chain(), "v", "v12"},
		{"predicate holds", chain("transforms.a.predicate", "p"), "x", "x12"},
		{"predicate does not hold", chain("transforms.a.predicate", "p"), "v", "v2"},
		{"negated", chain("transforms.a.predicate", "p", "transforms.a.negate", "true"), "v", "v12"},
		{"dropped", chain("transforms.a.text", "drop"), "v", ""},
		{"none", nil, "v", "v"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := build(t, nil, tt.config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}()
			r := &connectors.Record{Value: tt.in}
			keep, failure := p.Transform(t.Context(), r)
			if failure != nil {
				t.Fatal(failure.Err)
			}
			if keep != (tt.want != "") || keep && r.Value != tt.want {
				t.Errorf("got %v, %v, want %q", r.Value, keep, tt.want)
			}
		})
	}
}

func TestTransformSink_lets_transforms_see_where_a_record_was(t *testing.T) {
	config := map[string]string{
		"transforms": "i,j", "transforms.i.type": "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.i.offset.field": "at",
		"transforms.j.type": "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.j.topic.field": "from",
	}
	p, err := build(t, nil, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := &connectors.SinkRecord{Record: connectors.Record{Topic: "t", Value: &connectors.Map{}}, Offset: 42}
	keep, failure := p.TransformSink(t.Context(), r)
	if !keep || failure != nil {
		t.Fatal(keep, failure)
	}
	if got := connectors.Text(r.Value); got != "{at=42, from=t}" {
		t.Errorf("got %s", got)
	}
}

func TestNew_names_what_is_wrong(t *testing.T) {
	tests := map[string]map[string]string{
		`transforms.a.predicate: no predicate is called q; predicates has [p]`: {
			"transforms": "a", "transforms.a.type": "test.Append", "transforms.a.text": "1", "transforms.a.predicate": "q",
			"predicates": "p", "predicates.p.type": "test.Has", "predicates.p.text": "x"},
		`transforms.a.text: must not be empty`:                  {"transforms": "a", "transforms.a.type": "test.Append"},
		`transforms.a.type: `:                                   {"transforms": "a", "transforms.a.type": "test.Nothing"},
		`value.converter: `:                                     {"value.converter": "test.Nothing"},
		`Invalid value some for configuration errors.tolerance`: {"errors.tolerance": "some"},
	}
	for want, config := range tests {
		if _, err := build(t, nil, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

// collector is a Reporter.
type collector struct{ stages []pipeline.Stage }

func (c *collector) Report(_ context.Context, f *pipeline.Failure) error {
	c.stages = append(c.stages, f.Stage)
	return nil
}

func TestErrors_retry(t *testing.T) {
	away := &connectors.RetriableError{Err: errors.New("away")}
	tests := []struct {
		name    string
		config  map[string]string
		err     error
		fails   int // how often it fails before it goes well
		calls   int
		took    time.Duration
		outcome string // "", or the failure's text
	}{
		{"no retries by default", nil, away, 5, 1, 0, "away"},
		{"until it goes well", map[string]string{"errors.retry.timeout": "-1"}, away, 3, 4, 2100 * time.Millisecond, ""},
		{"until the time is over", map[string]string{"errors.retry.timeout": "1000"}, away, 9, 4, time.Second, "away"},
		{"only what is worth it", map[string]string{"errors.retry.timeout": "-1"}, errors.New("broken"), 9, 1, 0, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				config := map[string]string{"transforms": "a", "transforms.a.type": "test.Append", "transforms.a.text": "1"}
				for k, v := range tt.config {
					config[k] = v
				}
				p, err := build(t, func() error {
					if calls++; calls <= tt.fails {
						return tt.err
					}
					return nil
				}, config)
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				_, failure := p.Transform(t.Context(), &connectors.Record{Value: "v"})
				got := ""
				if failure != nil {
					got = failure.Err.Error()
				}
				if got != tt.outcome || calls != tt.calls || time.Since(begin) != tt.took {
					t.Errorf("%q after %d calls and %v, want %q, %d, %v", got, calls, time.Since(begin), tt.outcome, tt.calls, tt.took)
				}
			})
		})
	}
	t.Run("a stop ends the waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, err := build(t, func() error { return away }, map[string]string{"errors.retry.timeout": "-1",
				"transforms": "a", "transforms.a.type": "test.Append", "transforms.a.text": "1", "errors.tolerance": "all"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, failure := p.Transform(ctx, &connectors.Record{Value: "v"})
			if failure == nil {
				t.Fatal("no failure")
			}
			if err := p.Errors.Decide(ctx, failure); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Decide = %v: the record is neither skipped nor failed", err)
			}
		})
	})
}

func TestErrors_Decide(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name, tolerance string
		stage           pipeline.Stage
		want            string
	}{
		{"none", "none", pipeline.ValueConverter, "Tolerance exceeded in error handler"},
		{"all", "ALL", pipeline.ValueConverter, ""},
		{"all, but not here", "all", pipeline.KafkaConsume, "Unhandled exception in error handler"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c collector
			p, err := build(t, nil, map[string]string{"errors.tolerance": tt.tolerance}, &c)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := p.Errors.Decide(t.Context(), &pipeline.Failure{Stage: tt.stage, Err: broken}); err != nil {
				got = err.Error()
				if !errors.Is(err, broken) {
					t.Error("the cause is lost")
				}
			}
			if got != tt.want {
				t.Errorf("Decide = %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff([]pipeline.Stage{tt.stage}, c.stages); diff != "" {
				t.Errorf("reports (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTrace(t *testing.T) {
	err := &pipeline.FatalError{Msg: "Tolerance exceeded in error handler", Cause: &connectors.DataError{Msg: "bad", Cause: errors.New("byte 3")}}
	want := "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n" +
		"Caused by: org.apache.kafka.connect.errors.DataException: bad: byte 3"
	if got := pipeline.Trace(err); got != want {
		t.Errorf("trace = %q\nwant %q", got, want)
	}
	err.Cause = classed("java.lang.RuntimeException")
	want = "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\nCaused by: java.lang.RuntimeException"
	if got := pipeline.Trace(err); got != want {
		t.Errorf("trace = %q\nwant %q", got, want)
	}
}

// classed is an error of which only the class is known.
type classed string

func (c classed) Error() string      { return string(c) }
func (c classed) ErrorClass() string { return string(c) }

func TestPipeline_bytes_come_back(t *testing.T) {
	p, err := build(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &kgo.Record{Topic: "t", Partition: 2, Offset: 7, Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(5),
		Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("text")}}}
	var r connectors.SinkRecord
	if _, failure := p.Read(t.Context(), in, &r, nil); failure != nil {
		t.Fatal(failure.Err)
	}
	if r.Original != (connectors.TopicPartition{Topic: "t", Partition: 2}) || r.Offset != 7 || r.Timestamp != 5 || r.TimestampType != connectors.CreateTime {
		t.Errorf("record = %+v", r)
	}
	key, f1 := p.WriteKey(t.Context(), &r.Record)
	value, f2 := p.WriteValue(t.Context(), &r.Record)
	header, f3 := p.WriteHeader(t.Context(), r.Topic, r.Headers[0])
	if f1 != nil || f2 != nil || f3 != nil || string(key) != "k" || string(value) != "v" || string(header) != "text" {
		t.Errorf("bytes = %q %q %q", key, value, header)
	}
}
