package secrets_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/runtime/internal/secrets"
)

func TestLooksSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"db.password": true, "ssl.key.password": true, "API_KEY": true, "aws-secret-access-key": true, "sasl.jaas.config": true,
		"basic.auth.user.info": true, "ssl.keystore.key": true, "oauth.token": true, "bearer.credentials": true,
		"sasl.oauthbearer.token.endpoint.url": false, "basic.auth.credentials.source": false, "password.file": false,
		"aws.credentials.provider.class": false, "name": false, "topic": false, "key.converter": false, "file": false,
	} {
		if got := secrets.LooksSecret(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func registry(t *testing.T) *plugins.Registry {
	t.Helper()
	r := plugins.New()
	err := r.Add(connectors.Plugin{
		Kind: connectors.KindSource, Class: "test.Source", Version: "1", TaskClass: "test.SourceTask",
		NewSource: func() connectors.Source { return nil },
		Config: connectors.NewConfigDef(
			connectors.ConfigKey{Name: "pin", Aliases: []string{"peers.pin"}, Type: connectors.ConfigPassword},
			connectors.ConfigKey{Name: "max.tokens", Type: connectors.ConfigInt, Default: 1},
		),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMaskAndRestore(t *testing.T) {
	config := connectors.Raw(map[string]string{
		"connector.class": "test.Source", "pin": "1234", "peers.pin": "1234", "max.tokens": "7", "db.password": "hunter2",
		"other.password": "${file:/s:k}", "empty.password": "", "transforms": "token", "transforms.token.type": "X", "transforms.token.field": "f",
	})
	config["null.password"] = nil
	got := secrets.KeysOf(registry(t), config.Strings()).Mask(config)
	want := connectors.Raw(config.Strings())
	hidden := secrets.Hidden
	want["pin"], want["peers.pin"], want["db.password"], want["null.password"] = &hidden, &hidden, &hidden, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	back, missing := secrets.Restore(got, config)
	if diff := cmp.Diff(config, back); diff != "" || missing != nil {
		t.Error(diff, missing)
	}
	if _, missing := secrets.Restore(got, nil); !cmp.Equal(missing, []string{"db.password", "peers.pin", "pin"}) {
		t.Errorf("missing %v", missing)
	}
	if diff := cmp.Diff(config, secrets.Keys{}.Mask(config)); diff != "" {
		t.Error("no keys masked something", diff)
	}
}

func TestScrubber(t *testing.T) {
	var none *secrets.Scrubber
	s := none.With([]string{"hunter2", "connect", "long secret value", "ab", "password"}, []string{"db.password", "password"})
	for in, want := range map[string]string{
		"login with hunter2 failed":                            "login with [hidden] failed",
		"tcp://u:hunter2@host":                                 "tcp://u:[hidden]@host",
		"at the end: hunter2.":                                 "at the end: [hidden].",
		"xlong secret valuex":                                  "x[hidden]x",
		"org.apache.kafka.connect.errors.X: hunter2hunter2":    "org.apache.kafka.connect.errors.X: hunter2hunter2",
		"Invalid value ab for configuration pin: abc":          "Invalid value [hidden] for configuration pin: abc",
		"Missing required configuration \"db.password\"":       "Missing required configuration \"db.password\"",
		"Invalid value hunter2 for configuration db.password:": "Invalid value [hidden] for configuration db.password:",
	} {
		if got := s.Text(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if got := none.Text("hunter2"); got != "hunter2" {
		t.Error(got)
	}
}

func TestJaasPasswordsAreSecrets(t *testing.T) {
	keys := secrets.KeysOf(registry(t), nil)
	jaas := `org.X required username="u" password="inner pw";`
	got := (*secrets.Scrubber)(nil).With(keys.Values(map[string]string{"consumer.override.sasl.jaas.config": jaas}), nil).Text("refused inner pw, " + jaas)
	if strings.Contains(got, "inner pw") {
		t.Error(got)
	}
}

func TestHandler(t *testing.T) {
	var out bytes.Buffer
	s := (*secrets.Scrubber)(nil).With([]string{"hunter2"}, nil)
	log := slog.New(secrets.Handler(slog.NewTextHandler(&out, nil), func() *secrets.Scrubber { return s })).With("who", "hunter2").WithGroup("g")
	log.Error("said hunter2", "err", errors.New("bad hunter2"), slog.Group("in", "x", "hunter2"), "n", 7)
	if got := out.String(); strings.Contains(got, "hunter2") || strings.Count(got, "[hidden]") != 4 || !strings.Contains(got, "g.n=7") {
		t.Error(got)
	}
}
