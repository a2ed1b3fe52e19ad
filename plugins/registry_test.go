package plugins_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/plugins"
)

func plugin(kind connectors.Kind, class, version string, aliases ...string) connectors.Plugin {
	p := connectors.Plugin{Kind: kind, Class: class, Version: version, Aliases: aliases, Config: connectors.NewConfigDef()}
	switch kind {
	case connectors.KindSource:
		p.NewSource = func() connectors.Source { return nil }
	case connectors.KindSink:
		p.NewSink = func() connectors.Sink { return nil }
	case connectors.KindConverter:
		p.NewConverter = func() connectors.Converter { return nil }
	case connectors.KindHeaderConverter:
		p.NewHeaderConverter = func() connectors.HeaderConverter { return nil }
	case connectors.KindTransform:
		p.NewTransform = func() connectors.Transform { return nil }
	case connectors.KindPredicate:
		p.NewPredicate = func() connectors.Predicate { return nil }
	}
	return p
}

func registry(t *testing.T) *plugins.Registry {
	t.Helper()
	r := plugins.New()
	err := r.Add(
		plugin(connectors.KindSource, "org.apache.kafka.connect.file.FileStreamSourceConnector", "1.0"),
		plugin(connectors.KindSource, "org.apache.kafka.connect.file.FileStreamSourceConnector", "1.10"),
		plugin(connectors.KindSource, "org.apache.kafka.connect.file.FileStreamSourceConnector", "1.9"),
		plugin(connectors.KindSink, "org.apache.kafka.connect.file.FileStreamSinkConnector", "1.0"),
		plugin(connectors.KindSource, "millrace.activemq.ActiveMQSourceConnector", "1.0", "io.confluent.connect.jms.JmsSourceConnector"),
		plugin(connectors.KindSink, "one.TwinConnector", ""),
		plugin(connectors.KindSource, "two.TwinConnector", ""),
		plugin(connectors.KindConverter, "org.apache.kafka.connect.json.JsonConverter", "1.0"),
		plugin(connectors.KindHeaderConverter, "org.apache.kafka.connect.json.JsonConverter", "1.0"),
		plugin(connectors.KindConverter, "org.apache.kafka.connect.storage.StringConverter", "1.0"),
		plugin(connectors.KindHeaderConverter, "org.apache.kafka.connect.storage.SimpleHeaderConverter", "1.0"),
		plugin(connectors.KindTransform, "org.apache.kafka.connect.transforms.Cast$Key", "1.0"),
		plugin(connectors.KindTransform, "org.apache.kafka.connect.transforms.Cast$Value", "1.0"),
		plugin(connectors.KindTransform, "org.apache.kafka.connect.transforms.Filter", "1.0"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConnector(t *testing.T) {
	const file = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	tests := []struct {
		class, version string
		want, wantErr  string
	}{
		{class: file, want: file + " 1.10"},
		{class: "FileStreamSourceConnector", version: "latest", want: file + " 1.10"},
		{class: "FileStreamSource", version: "1.0", want: file + " 1.0"},
		{class: "FileStreamSource", version: "[1.0,1.10)", want: file + " 1.9"},
		{class: "com.company.connector.source.ActiveMQSourceConnector", want: "millrace.activemq.ActiveMQSourceConnector 1.0"},
		{class: "com.company.ActiveMqSourceConnector", want: "millrace.activemq.ActiveMQSourceConnector 1.0"},
		{class: "io.confluent.connect.jms.JmsSourceConnector", want: "millrace.activemq.ActiveMQSourceConnector 1.0"},
		{class: "org.other.JmsSourceConnector", want: "millrace.activemq.ActiveMQSourceConnector 1.0"},
		{class: "filestreamsource", wantErr: "Failed to find any class that implements Connector and which name matches filestreamsource, " +
			"available connectors are: one.TwinConnector, org.apache.kafka.connect.file.FileStreamSinkConnector, " +
			"millrace.activemq.ActiveMQSourceConnector, " + file + ", " + file + ", " + file + ", two.TwinConnector"},
		{class: "Twin", wantErr: "More than one connector matches alias Twin. Please use full package and class name instead. " +
			"Classes found: one.TwinConnector, two.TwinConnector"},
		{class: "FileStreamSource", version: "3", wantErr: "Plugin " + file +
			" not found that matches the version range [3,3], available versions: [1.0, 1.9, 1.10]"},
		{class: "two.TwinConnector", version: "undefined", want: "two.TwinConnector "},
		{class: "FileStreamSource", version: "[1", wantErr: "Unbounded range: [1"},
		{class: "FileStreamSource", version: "[2,1]", wantErr: "Range defies version ordering: [2,1]"},
	}
	r := registry(t)
	for _, tt := range tests {
		t.Run(tt.class+" "+tt.version, func(t *testing.T) {
			p, err := r.Connector(tt.class, tt.version)
			check(t, p, err, tt.want, tt.wantErr)
		})
	}
}

func check(t *testing.T, p *connectors.Plugin, err error, want, wantErr string) {
	t.Helper()
	if err != nil {
		if err.Error() != wantErr {
			t.Errorf("error %q, want %q", err, wantErr)
		}
		return
	}
	if wantErr != "" {
		t.Fatalf("no error, want %q", wantErr)
	}
	if got := p.Class + " " + p.Version; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLookup(t *testing.T) {
	const (
		conv      = connectors.KindConverter
		transform = connectors.KindTransform
		value     = "org.apache.kafka.connect.transforms.Cast$Value"
	)
	tests := []struct {
		kind                 connectors.Kind
		class, version, want string
		wantErr              string
		problem              plugins.Problem
	}{
		{kind: conv, class: "Json", want: "org.apache.kafka.connect.json.JsonConverter 1.0"},
		{kind: connectors.KindHeaderConverter, class: "JsonConverter", want: "org.apache.kafka.connect.json.JsonConverter 1.0"},
		{kind: transform, class: value, want: value + " 1.0"},
		{kind: transform, class: "com.company.transforms.Cast$Value", want: value + " 1.0"},
		{kind: transform, class: "Filter", want: "org.apache.kafka.connect.transforms.Filter 1.0"},
		{kind: transform, class: "Cast$Value", wantErr: "Class Cast$Value could not be found.", problem: plugins.UnknownClass},
		{kind: transform, class: "org.apache.kafka.connect.transforms.Cast.Value", problem: plugins.UnknownClass,
			wantErr: "Class org.apache.kafka.connect.transforms.Cast.Value could not be found."},
		{kind: transform, class: "org.apache.kafka.connect.transforms.Cast", problem: plugins.AbstractClass,
			wantErr: "This class is abstract and cannot be created. Did you mean " +
				"org.apache.kafka.connect.transforms.Cast$Key, org.apache.kafka.connect.transforms.Cast$Value?"},
		{kind: transform, class: "java.lang.String", problem: plugins.WrongKind,
			wantErr: "Class class java.lang.String does not implement the Transformation interface"},
		{kind: conv, class: "org.apache.kafka.connect.storage.SimpleHeaderConverter", problem: plugins.WrongKind,
			wantErr: "Class class org.apache.kafka.connect.storage.SimpleHeaderConverter does not implement the Converter interface"},
		{kind: conv, class: "org.apache.kafka.connect.storage.Converter", problem: plugins.AbstractClass,
			wantErr: "This class is abstract and cannot be created."},
		{kind: conv, class: "", wantErr: "Class  could not be found.", problem: plugins.UnknownClass},
		{kind: connectors.KindHeaderConverter, class: "SimpleHeader", wantErr: "Class SimpleHeader could not be found.",
			problem: plugins.UnknownClass},
		{kind: conv, class: "Json", version: "0.0.1", problem: plugins.UnknownVersion, wantErr: "Plugin " +
			"org.apache.kafka.connect.json.JsonConverter not found that matches the version range [0.0.1,0.0.1], available versions: [1.0, 1.0]"},
	}
	r := registry(t)
	for _, tt := range tests {
		t.Run(tt.class+" "+tt.version, func(t *testing.T) {
			p, err := r.Lookup(tt.kind, tt.class, tt.version)
			check(t, p, err, tt.want, tt.wantErr)
			var perr *plugins.Error
			if errors.As(err, &perr) && perr.Problem != tt.problem {
				t.Errorf("problem %d, want %d", perr.Problem, tt.problem)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	r := registry(t)
	noConfig := plugin(connectors.KindSink, "a.B", "1")
	noConfig.Config = nil
	wrong := plugin(connectors.KindSink, "a.B", "1")
	wrong.Kind = connectors.KindSource
	for name, p := range map[string]connectors.Plugin{
		"twice":       plugin(connectors.KindTransform, "org.apache.kafka.connect.transforms.Filter", "1.0"),
		"no config":   noConfig,
		"wrong maker": wrong,
		"no class":    plugin(connectors.KindSink, "", "1"),
	} {
		if err := r.Add(p); err == nil {
			t.Errorf("%s: added", name)
		}
	}
}

func TestRangeContains(t *testing.T) {
	tests := []struct {
		spec string
		in   []string
		out  []string
	}{
		{"", []string{"1", "undefined"}, nil},
		{"1.2.3", []string{"1.2.3", "1.2.3.0"}, []string{"1.2.4", "1.2.3-rc1"}},
		{"[1.0,2.0)", []string{"1", "1.9.9", "2.0-SNAPSHOT"}, []string{"0.9", "2.0", "2", "1.0-alpha"}},
		{"(,1.5]", []string{"0.1", "1.5"}, []string{"1.6", "1.5-sp"}},
		{"[1,2],[4,)", []string{"1", "2", "4", "99"}, []string{"3", "0"}},
	}
	for _, tt := range tests {
		r, err := plugins.ParseRange(tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.in {
			if !r.Contains(v) {
				t.Errorf("%s: %s is out", tt.spec, v)
			}
		}
		for _, v := range tt.out {
			if r.Contains(v) {
				t.Errorf("%s: %s is in", tt.spec, v)
			}
		}
	}
}

// TestVersionOrder has the examples of Maven's documentation of its order.
func TestVersionOrder(t *testing.T) {
	ordered := []string{"1-alpha-1", "1-beta-2", "1-m3", "1-rc1", "1-snapshot", "1", "1-sp", "1-foo", "1-1", "1-2", "1.1", "1.10", "2"}
	for i, low := range ordered {
		for j, high := range ordered {
			r, err := plugins.ParseRange("[" + low + ",)")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.Contains(high), j >= i; got != want {
				t.Errorf("%s in [%s,): %v", high, low, got)
			}
		}
	}
}

func TestAvailableVersions(t *testing.T) {
	r := registry(t)
	if diff := cmp.Diff([]string{"1.0", "1.9", "1.10"}, r.AvailableVersions("FileStreamSource")); diff != "" {
		t.Error(diff)
	}
	if got := r.AvailableVersions("Nope"); got != nil {
		t.Error(got)
	}
}
