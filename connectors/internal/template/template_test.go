package template_test

import (
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/connectors/internal/template"
)

func TestExpandSink(t *testing.T) {
	r := &connectors.SinkRecord{
		Record: connectors.Record{
			Topic: "orders", Key: []byte("k1"),
			Headers: connectors.Headers{{Key: "site", Value: "north"}, {Key: "n", Value: int32(7)}, {Key: "list", Value: []any{}}},
		},
		Original: connectors.TopicPartition{Topic: "orders", Partition: 3},
	}
	for _, c := range []struct{ text, want, err string }{
		{text: "plain", want: "plain"},
		{text: "", want: ""},
		{text: "${topic}", want: "orders"},
		{text: "a/${header:site}/${key}/${partition}/${header:n}", want: "a/north/k1/3/7"},
		{text: "${header:none}", err: `has no header "none"`},
		{text: "${header:list}", err: "not a plain value"},
	} {
		tmpl, err := template.Parse(c.text, template.SinkVariables...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.ExpandSink(r)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want one with %q", c.text, err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"${topic":    "closing }",
		"${nope}":    "unknown variable ${nope}; there are ${topic}, ${partition}, ${key}, ${header:name}",
		"${header:}": "unknown variable",
		"${topic:x}": "unknown variable",
	} {
		_, err := template.Parse(text, template.SinkVariables...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}
