package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/internal/settings"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterLayersWin(t *testing.T) {
	var s settings.Settings
	if err := s.AddFile(write(t, "w.properties", "a=file\nb=file\nc=file\nbroker.log.dirs=/x\n"), ""); err != nil {
		t.Fatal(err)
	}
	s.AddEnvironment([]string{"CONNECT_B=env", "CONNECT_C=env", "OTHER=1", "CONNECT_LOG4J_ROOT_LOGLEVEL=INFO", "CONNECT_"})
	if err := s.AddPairs([]string{"c=flag=1"}, ""); err != nil {
		t.Fatal(err)
	}
	s.AddDefaults(map[string]string{"a": "default", "d": "default"})
	want := map[string]string{"a": "file", "b": "env", "c": "flag=1", "d": "default"}
	if d := cmp.Diff(want, s.Values("broker.")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"log.dirs": "/x"}, s.Under("broker.")); d != "" {
		t.Error(d)
	}
}

func TestEnvironmentNames(t *testing.T) {
	for name, key := range map[string]string{
		"CONNECT_GROUP_ID":               "group.id",
		"CONNECT_PLUGIN_PATH":            "plugin.path",
		"CONNECT_A__B":                   "a-b",
		"CONNECT_A___B":                  "a_b",
		"CONNECT_BROKER_LOG_DIRS":        "broker.log.dirs",
		"CONNECT_CONFIG_PROVIDERS_X____": "config.providers.x_.",
	} {
		var s settings.Settings
		s.AddEnvironment([]string{name + "=v"})
		if d := cmp.Diff(map[string]string{key: "v"}, s.Values()); d != "" {
			t.Error(d)
		}
	}
}

func TestExplainNamesFileAndLine(t *testing.T) {
	var s settings.Settings
	path := write(t, "w.properties", "offset.flush=1\n\noffset.flush.interval.ms=soon\nbroker.node.id=x\n")
	if err := s.AddFile(path, ""); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		errors.New("Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG"),
		errors.New("key.converter: missing"),
	)
	want := path + ":3: Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG\nkey.converter: missing"
	if got := s.Explain(err, "").Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = path + ":4: node.id: must be a whole number"
	if got := s.Explain(errors.New("node.id: must be a whole number"), "broker.").Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReadConnector(t *testing.T) {
	text := func(s string) *string { return &s }
	want := settings.Connector{Name: "c", Config: map[string]*string{"name": text("c"), "tasks.max": text("1"), "topic": text("t")}}
	withNull := settings.Connector{Name: "c", InitialState: "PAUSED", Config: map[string]*string{"name": text("c"), "a": nil, "b": text("true"), "d": text("1.50")}}
	tests := []struct {
		name, file, text string
		want             settings.Connector
		err              string
	}{
		{"properties", "c.properties", "name=c\ntasks.max=1\ntopic=t\n", want, ""},
		{"flat JSON", "c.json", `{"name":"c","tasks.max":1,"topic":"t"}`, want, ""},
		{"POST body", "c.json", `{"name":"c","config":{"tasks.max":"1","topic":"t"},"more":[1]}`, want, ""},
		{"JSON by its content", "c.txt", ` {"name":"c","tasks.max":1,"topic":"t"}`, want, ""},
		{"scalars", "c.json", `{"name":"c","initial_state":"PAUSED","config":{"a":null,"b":true,"d":1.50}}`, withNull, ""},
		{"no name", "c.properties", "topic=t", settings.Connector{}, "c.properties: name is missing"},
		{"bad JSON", "c.json", "{\n\"a\":\n]", settings.Connector{}, "c.json:3: invalid character ']'"},
		{"more JSON", "c.json", "{}\n{}", settings.Connector{}, "c.json:2: text after the JSON object"},
		{"nested", "c.json", `{"name":"c","a":[1]}`, settings.Connector{}, "c.json: a: want a string, a number, true or false, got [1]"},
		{"bad escape", "c.properties", "name=c\na=\\uzz", settings.Connector{}, "c.properties:2: a: \\uzz is no character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.file, tt.text)
			got, err := settings.ReadConnector(path)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Path = ""
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzReadConnector(f *testing.F) {
	f.Add("c.json", `{"name":"c","config":{"a":1}}`)
	f.Add("c.properties", "name=c")
	f.Fuzz(func(t *testing.T, name, text string) {
		if name != "c.json" {
			name = "c.properties"
		}
		c, err := settings.ReadConnector(write(t, name, text))
		if err == nil && (c.Name == "" || c.Config["name"] == nil) {
			t.Fatalf("%q gave a connector without a name", text)
		}
	})
}

func TestJavaOptions(t *testing.T) {
	const key = "java.security.auth.login.config"
	environ := []string{"KAFKA_OPTS=-Xmx1g -D" + key + "=/etc/login.conf -Dother=x"}
	var s settings.Settings
	s.AddJavaOptions(environ)
	if d := cmp.Diff(map[string]string{key: "/etc/login.conf"}, s.Values()); d != "" {
		t.Error(d)
	}
	var own settings.Settings
	if err := own.AddPairs([]string{key + "=mine"}, ""); err != nil {
		t.Fatal(err)
	}
	own.AddJavaOptions(environ)
	if d := cmp.Diff(map[string]string{key: "mine"}, own.Values()); d != "" {
		t.Error(d)
	}
}
