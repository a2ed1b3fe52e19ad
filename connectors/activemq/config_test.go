package activemq_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"millrace/connectors"
)

var update = flag.Bool("update", false, "rewrite the key tables of CONFIG.md")

// TestConfigTable keeps CONFIG.md the same as the definitions.
func TestConfigTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Keys of the ActiveMQ connectors\n\nWritten by `go test ./connectors/activemq -run TestConfigTable -update`.\n")
	for _, p := range []connectors.Plugin{source, sink} {
		fmt.Fprintf(&b, "\n## %s\n\n| key (other names) | type | default | rule | meaning |\n|---|---|---|---|---|\n", p.Class)
		for _, k := range p.Config.Keys() {
			name := "`" + k.Name + "`"
			if len(k.Aliases) > 0 {
				name += " (" + strings.Join(k.Aliases, ", ") + ")"
			}
			fallback := "required"
			if !k.Required {
				fallback = ""
				if text := k.DefaultText(); text != nil {
					fallback = *text
				}
			}
			rule := ""
			if k.Validator != nil {
				rule = k.Validator.String()
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, strings.ToLower(string(k.Type)), fallback, rule, k.Doc)
		}
	}
	if *update {
		if err := os.WriteFile("CONFIG.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("CONFIG.md")
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("CONFIG.md is not what the definitions say (%v); run with -update", err)
	}
}

// TestExamples checks that the bodies in examples pass validation.
func TestExamples(t *testing.T) {
	for path, p := range map[string]connectors.Plugin{
		"activemq-source.json": source, "activemq-sink.json": sink,
		"iot-data-kafka-mqtt-source.json": source, "iot-data-kafka-mqtt-sink.json": sink,
	} {
		text, err := os.ReadFile("../../examples/" + path)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Name   string
			Config map[string]string
		}
		if err := json.NewDecoder(bufio.NewReader(bytes.NewReader(text))).Decode(&body); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		values := p.Config.Validate(connectors.Raw(body.Config))
		validator(p).ValidateConfig(body.Config, values)
		for _, v := range values {
			if len(v.Errors) > 0 {
				t.Errorf("%s: %s: %v", path, v.Name, v.Errors)
			}
		}
	}
}

func validator(p connectors.Plugin) connectors.ConfigValidator {
	if p.NewSource != nil {
		return p.NewSource().(connectors.ConfigValidator)
	}
	return p.NewSink().(connectors.ConfigValidator)
}

// TestValidationOfNothing checks that missing keys are errors and not worse.
func TestValidationOfNothing(t *testing.T) {
	for _, p := range []connectors.Plugin{source, sink} {
		errs := 0
		values := p.Config.Validate(connectors.Raw(nil))
		validator(p).ValidateConfig(map[string]string{}, values)
		for _, v := range values {
			errs += len(v.Errors)
		}
		if want := map[connectors.Kind]int{connectors.KindSource: 3, connectors.KindSink: 1}[p.Kind]; errs != want {
			t.Errorf("%s: %d errors, want %d: one for each required key", p.Class, errs, want)
		}
	}
}

// TestValidation has the mistakes that users make, with what they are told.
func TestValidation(t *testing.T) {
	good := map[string]string{"activemq.server_uris": "tcp://h:61613", "activemq.destination": "q", "topic": "t"}
	for name, c := range map[string]struct {
		plugin    connectors.Plugin
		config    map[string]string
		key, want string
	}{
		"bad scheme":         {source, map[string]string{"activemq.server_uris": "vm://x"}, "activemq.server_uris", `scheme "vm" is not supported`},
		"two topics":         {source, map[string]string{"topic": "a,b"}, "topic", "a source writes to one topic"},
		"illegal topic":      {source, map[string]string{"topic": "a b"}, "topic", "is not a topic's name"},
		"unknown variable":   {source, map[string]string{"topic": "${nope}"}, "topic", "unknown variable ${nope}"},
		"alias that differs": {source, map[string]string{"kafka.topic": "other"}, "topic", "mean the same but have different values"},
		"type and prefix":    {source, map[string]string{"activemq.destination": "topic://x", "activemq.destination.type": "queue"}, "activemq.destination", "activemq.destination.type says queue"},
		"durable queue":      {source, map[string]string{"activemq.subscription.name": "s"}, "activemq.subscription.name", "a queue has no durable subscriptions"},
		"window too small":   {source, map[string]string{"max.pending.messages": "10"}, "max.pending.messages", "must be at least activemq.prefetch"},
		"prefetch":           {source, map[string]string{"activemq.prefetch": "40000"}, "activemq.prefetch", "no more than 32766"},
		"heart-beat":         {source, map[string]string{"activemq.heartbeat.ms": "5"}, "activemq.heartbeat.ms", "0 or at least 1000"},
		"password":           {source, map[string]string{"activemq.password": "a\nb"}, "activemq.password", "must not contain line ends"},
		"missing CA":         {source, map[string]string{"tls.ca.file": "/nonexistent"}, "tls.ca.file", "no such file"},
		"sink template":      {sink, map[string]string{"activemq.destination": "${nope}"}, "activemq.destination", "unknown variable"},
		"sink type":          {sink, map[string]string{"activemq.message.type": "xml"}, "activemq.message.type", "must be one of"},
	} {
		t.Run(name, func(t *testing.T) {
			config := merge(good, c.config)
			values := c.plugin.Config.Validate(connectors.Raw(config))
			validator(c.plugin).ValidateConfig(config, values)
			var got []string
			for _, v := range values {
				if v.Name == c.key {
					got = v.Errors
				} else if len(v.Errors) > 0 {
					t.Errorf("%s: %v", v.Name, v.Errors)
				}
			}
			if len(got) != 1 || !strings.Contains(got[0], c.want) || strings.Contains(got[0], "a\nb") {
				t.Errorf("errors %q, want %s", got, c.want)
			}
		})
	}
}
