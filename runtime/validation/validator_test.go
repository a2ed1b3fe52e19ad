package validation_test

import (
	"context"
	"testing"

	"millrace/connectors"
	"millrace/runtime"
	"millrace/runtime/validation"
)

// errorsOf validates and returns the errors by key.
func errorsOf(t *testing.T, v *validation.Validator, config map[string]string) map[string][]string {
	t.Helper()
	infos, err := v.ValidateConfig(context.Background(), "", connectors.Raw(config))
	if err != nil {
		t.Fatal(err)
	}
	errs := make(map[string][]string)
	for _, c := range infos.Configs {
		if len(c.Value.Errors) > 0 {
			errs[c.Value.Name] = c.Value.Errors
		}
	}
	return errs
}

func TestRulesOverSeveralKeys(t *testing.T) {
	source := func(more ...string) map[string]string { return with("test.NoopSource", more...) }
	sink := func(more ...string) map[string]string {
		return with("test.NoopSink", append([]string{"topics", "t"}, more...)...)
	}
	creation := validation.Config{TopicCreation: true}
	for _, test := range []struct {
		name   string
		worker validation.Config
		config map[string]string
		key    string
		want   string // empty: no error at all
	}{
		{"policy None", validation.Config{OverridePolicy: "None"}, source("producer.override.acks", "1"), "producer.override.acks",
			"The 'None' policy does not allow 'acks' to be overridden in the connector configuration."},
		{"policy Principal", validation.Config{OverridePolicy: "Principal"}, source("producer.override.sasl.mechanism", "PLAIN"), "", ""},
		{"policy by Java's name", validation.Config{OverridePolicy: "org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy"},
			source("admin.override.retries", "1"), "admin.override.retries",
			"The 'None' policy does not allow 'retries' to be overridden in the connector configuration."},
		{"override of a wrong type", validation.Config{}, source("producer.override.linger.ms", "x"), "producer.override.linger.ms",
			"Invalid value x for configuration linger.ms: Not a number of type LONG"},
		{"unknown override", validation.Config{}, source("producer.override.no.such", "x"), "", ""},
		{"sink in the workers' group", validation.Config{GroupID: "connect-n"}, sink(), "name",
			"Consumer group for sink connector named n conflicts with Connect worker group connect-n"},
		{"sink put into the workers' group", validation.Config{GroupID: "g"}, sink("consumer.override.group.id", "g"), "consumer.override.group.id",
			"Consumer group g conflicts with Connect worker group g"},
		{"topic creation needs defaults", creation, source("topic.creation.default.partitions", "1"), "topic.creation.default.replication.factor",
			`Missing required configuration "topic.creation.default.replication.factor" which has no default value.`},
		{"topic creation counts", creation, source("topic.creation.default.partitions", "0", "topic.creation.default.replication.factor", "1"),
			"topic.creation.default.partitions",
			"Invalid value 0 for configuration topic.creation.default.partitions: Number of partitions must be positive, or -1 to use the broker's default"},
		{"topic creation switched off", validation.Config{}, source("topic.creation.default.partitions", "0"), "", ""},
		{"group default listed", creation, source("topic.creation.groups", "default", "topic.creation.default.partitions", "1",
			"topic.creation.default.replication.factor", "-1"), "", ""},
		{"bad version of the default converter", validation.Config{ValueConverter: "org.apache.kafka.connect.json.JsonConverter"},
			source("value.converter", "Json", "value.converter.plugin.version", "[x"), "value.converter.plugin.version", "Unbounded range: [x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			errs := errorsOf(t, newValidator(t, test.worker), test.config)
			if test.want == "" {
				if len(errs) > 0 {
					t.Errorf("got errors %v, want none", errs)
				}
				return
			}
			if got := errs[test.key]; len(got) != 1 || got[0] != test.want {
				t.Errorf("%s: got %q (all: %v), want %q", test.key, got, errs, test.want)
			}
		})
	}
}

func with(class string, more ...string) map[string]string {
	c := map[string]string{"name": "n", "connector.class": class}
	for i := 0; i+1 < len(more); i += 2 {
		c[more[i]] = more[i+1]
	}
	return c
}

func TestUnknownPolicy(t *testing.T) {
	if _, err := validation.New(validation.Config{OverridePolicy: "Some"}, nil); err == nil {
		t.Error("a policy that does not exist was accepted")
	}
}

func FuzzValidateConfig(f *testing.F) {
	f.Add("transforms", "a,a.b", "transforms.a.b.type", "Filter")
	f.Add("topic.creation.groups", "default,,x", "topic.creation.x.include", "(")
	f.Add("value.converter", "Json", "value.converter.plugin.version", "[1,")
	f.Add("predicates", ",", "predicates..type", "")
	v := newValidator(f, validation.Config{TopicCreation: true, KeyConverter: "Json", ValueConverter: "Json", HeaderConverter: "Json"})
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		for _, class := range []string{"test.NoopSource", "test.NoopSink"} {
			config := with(class, k1, v1, k2, v2)
			config["connector.class"] = class
			infos, err := v.ValidateConfig(context.Background(), "", connectors.Raw(config))
			if err != nil {
				if _, ok := err.(*runtime.Error); !ok {
					t.Errorf("%v: %v is no answer to a user", config, err)
				}
				continue
			}
			n := 0
			for _, c := range infos.Configs {
				n += min(len(c.Value.Errors), 1)
			}
			if n > infos.ErrorCount {
				t.Errorf("%v: %d keys have errors, error_count is %d", config, n, infos.ErrorCount)
			}
		}
	})
}
