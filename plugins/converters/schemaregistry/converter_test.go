package schemaregistry_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/plugins/converters/registrytest"
	"millrace/plugins/converters/schemaregistry"
)

// words is a format whose schemas are the names of Connect types and whose payloads are texts.
type words struct{ compiled *int }

var definition = schemaregistry.Definition()

func (words) Name() string                      { return schemaregistry.JSON }
func (words) Definition() *connectors.ConfigDef { return definition }
func (words) Configure(connectors.Values) error { return nil }
func (words) Translate(s *connectors.Schema) (text, record string, _ error) {
	return s.Type.String() + s.Name, s.Name, nil
}

func (f words) Writer(*connectors.Schema, schemaregistry.Source) (schemaregistry.Writer, error) {
	*f.compiled++
	return f, nil
}

func (f words) Reader(schemaregistry.Source, func(string) (int32, error)) (schemaregistry.Reader, error) {
	*f.compiled++
	return f, nil
}

func (words) Append(b []byte, value any) ([]byte, error) { return connectors.AppendText(b, value), nil }

func (words) Read(payload []byte) (connectors.SchemaAndValue, error) {
	return connectors.SchemaAndValue{Schema: connectors.StringSchema, Value: string(payload)}, nil
}

type setup struct {
	connectors.Converter
	compiled int
}

func configured(isKey bool, config ...string) (*setup, error) {
	s := new(setup)
	s.Converter = schemaregistry.New(words{&s.compiled})
	full := map[string]string{"retries.wait.ms": "0", "max.retries": "1"}
	for i := 0; i < len(config); i += 2 {
		full[config[i]] = config[i+1]
	}
	return s, s.Configure(full, isKey)
}

func newConverter(t *testing.T, isKey bool, config ...string) *setup {
	t.Helper()
	s, err := configured(isKey, config...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func named(name string) *connectors.Schema {
	return &connectors.Schema{Type: connectors.TypeString, Name: name}
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		isKey          bool
		strategy, want string
	}{
		{true, "io.confluent.kafka.serializers.subject.TopicNameStrategy", "t-key"},
		{false, "TopicNameStrategy", "t-value"},
		{false, "RecordNameStrategy", "a.B"},
		{true, "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy", "t-a.B"},
	} {
		registry := registrytest.New(t)
		kind := "value"
		if c.isKey {
			kind = "key"
		}
		conv := newConverter(t, c.isKey, "schema.registry.url", registry.URL, kind+".subject.name.strategy", c.strategy)
		data, err := conv.FromConnect("t", nil, named("a.B"), "x")
		if err != nil || string(data) != "\x00\x00\x00\x00\x01x" {
			t.Errorf("%s: %x, %v", c.strategy, data, err)
		}
		if len(registry.Subject(c.want)) != 1 {
			t.Errorf("%s: subject %s has no schema: %v", c.strategy, c.want, registry.Requests())
		}
	}
	conv := newConverter(t, false, "schema.registry.url", "http://127.0.0.1:1", "value.subject.name.strategy", "RecordNameStrategy")
	if _, err := conv.FromConnect("t", nil, connectors.StringSchema, "x"); err == nil || connectors.Retriable(err) {
		t.Errorf("a schema without a name has a subject: %v", err)
	}
}

func TestCache(t *testing.T) {
	registry := registrytest.New(t)
	conv := newConverter(t, false, "schema.registry.url", registry.URL, "max.schemas.per.subject", "4")
	for range 3 {
		data, err := conv.FromConnect("t", nil, named("A"), "x") // a schema of its own for each record
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conv.ToConnect("t", nil, data); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"POST /subjects/t-value/versions", "GET /schemas/ids/1"}
	if diff := cmp.Diff(want, registry.Requests()); diff != "" || conv.compiled != 2 {
		t.Errorf("compiled %d times: %s", conv.compiled, diff)
	}
	for i := range 100 { // more than are kept: each is asked for again
		if _, err := conv.FromConnect("t", nil, named(fmt.Sprintf("N%d", i)), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conv.FromConnect("t", nil, named("N0"), "x"); err != nil {
		t.Fatal(err)
	}
	if got := len(registry.Requests()); got != len(want)+101 {
		t.Errorf("%d requests, want %d", got, len(want)+101)
	}
}

func TestWhichSchema(t *testing.T) {
	registry := registrytest.New(t)
	registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: "STRINGold"})
	registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: "STRINGnew"})
	registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.Protobuf, Text: "proto"})
	for _, c := range []struct {
		name   string
		config []string
		schema *connectors.Schema
		id     byte
		want   string // of the error
	}{
		{"found", nil, named("old"), 1, ""},
		{"not found", nil, named("other"), 0, "Schema not found"},
		{"by id", []string{"use.schema.id", "2"}, named("other"), 2, ""},
		{"latest has another format", []string{"use.latest.version", "true"}, named("other"), 0, "format PROTOBUF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conv := newConverter(t, false, append(c.config, "auto.register.schemas", "false", "schema.registry.url", registry.URL)...)
			data, err := conv.FromConnect("t", nil, c.schema, "x")
			switch {
			case c.want == "" && (err != nil || data[4] != c.id):
				t.Errorf("%x, %v", data, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || connectors.Retriable(err)):
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestLatestIsAskedForAgain(t *testing.T) {
	registry := registrytest.New(t)
	registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: "1"})
	conv := newConverter(t, false, "schema.registry.url", registry.URL, "auto.register.schemas", "false",
		"use.latest.version", "true", "latest.cache.ttl.sec", "0")
	for want := byte(1); want < 4; want++ {
		data, err := conv.FromConnect("t", nil, connectors.StringSchema, "x")
		if err != nil || data[4] != want {
			t.Errorf("%x, %v; want id %d", data, err, want)
		}
		registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: fmt.Sprint(want + 1)})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		statuses  []int
		retriable bool
		fails     bool
	}{
		{[]int{503}, false, false}, // the repetition succeeds
		{[]int{503, 429}, true, true},
		{[]int{500, 408}, true, true},
		{[]int{422}, false, true},
		{[]int{401}, false, true},
	} {
		registry := registrytest.New(t)
		registry.Fail(c.statuses...)
		conv := newConverter(t, false, "schema.registry.url", registry.URL)
		_, err := conv.FromConnect("t", nil, connectors.StringSchema, "x")
		if (err != nil) != c.fails || connectors.Retriable(err) != c.retriable {
			t.Errorf("%v: %v", c.statuses, err)
		}
		if _, err := conv.FromConnect("t", nil, connectors.StringSchema, "x"); err != nil {
			t.Errorf("%v: after the failure: %v", c.statuses, err)
		}
	}
	none := httptest.NewServer(http.NotFoundHandler())
	none.Close()
	conv := newConverter(t, false, "schema.registry.url", none.URL)
	if _, err := conv.FromConnect("t", nil, connectors.StringSchema, "x"); !connectors.Retriable(err) {
		t.Errorf("no registry: %v", err)
	}
}

func TestFailOver(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	ill, well := registrytest.New(t), registrytest.New(t)
	ill.Fail(500, 500, 500)
	conv := newConverter(t, false, "schema.registry.url", dead.URL+","+ill.URL+" , "+well.URL)
	for _, name := range []string{"a", "b"} {
		if _, err := conv.FromConnect("t", nil, named(name), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if len(ill.Requests()) != 1 || len(well.Requests()) != 2 {
		t.Errorf("requests: %v and %v; the one that answered is to be asked first", ill.Requests(), well.Requests())
	}
}

func TestCredentials(t *testing.T) {
	registry := registrytest.New(t)
	registry.User, registry.Password = "joe", "s:e/cret"
	for name, config := range map[string][]string{
		"user info": {"schema.registry.url", registry.URL, "basic.auth.credentials.source", "USER_INFO", "basic.auth.user.info", "joe:s:e/cret"},
		"old names": {"schema.registry.url", registry.URL, "schema.registry.basic.auth.credentials.source", "USER_INFO", "schema.registry.basic.auth.user.info", "joe:s:e/cret"},
		"url":       {"schema.registry.url", strings.Replace(registry.URL, "://", "://joe:s%3Ae%2Fcret@", 1)},
		"header":    {"schema.registry.url", registry.URL, "schema.registry.request.header.Authorization", "Basic am9lOnM6ZS9jcmV0"},
	} {
		if _, err := newConverter(t, false, config...).FromConnect("t", nil, connectors.StringSchema, "x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	conv := newConverter(t, false, "schema.registry.url", strings.Replace(registry.URL, "://", "://joe:hunter2@", 1))
	_, err := conv.FromConnect("t", nil, connectors.StringSchema, "x")
	if err == nil || connectors.Retriable(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestBearerToken(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		if _, err := w.Write([]byte(`{"id":5}`)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	conv := newConverter(t, false, "schema.registry.url", server.URL, "bearer.auth.credentials.source", "STATIC_TOKEN", "bearer.auth.token", "abc")
	if data, err := conv.FromConnect("t", nil, connectors.StringSchema, "x"); err != nil || data[4] != 5 || got != "Bearer abc" {
		t.Errorf("%x, %v, %q", data, err, got)
	}
}

func TestTLS(t *testing.T) {
	registry := registrytest.NewTLS(t)
	trusted := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: registry.HTTP.Certificate().Raw}))
	otherName := strings.Replace(registry.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		name   string
		config []string
		works  bool
	}{
		{"not trusted", []string{"schema.registry.url", registry.URL}, false},
		{"trusted", []string{"schema.registry.url", registry.URL, "schema.registry.ssl.truststore.certificates", trusted}, true},
		{"other name", []string{"schema.registry.url", otherName, "schema.registry.ssl.truststore.certificates", trusted}, false},
		{"any name", []string{"schema.registry.url", otherName, "ssl.truststore.certificates", trusted, "ssl.endpoint.identification.algorithm", ""}, true},
		{"any name is not any authority", []string{"schema.registry.url", otherName, "ssl.endpoint.identification.algorithm", ""}, false},
	} {
		_, err := newConverter(t, false, c.config...).FromConnect("t", nil, connectors.StringSchema, "x")
		if (err == nil) != c.works {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	const u = "http://localhost:8081"
	for want, config := range map[string][]string{
		"schema.registry.url":     {},
		"each item must be a URL": {"schema.registry.url", "localhost:8081"},
		"must be one of":          {"schema.registry.url", u, "value.subject.name.strategy", "com.example.Mine"},
		"user:password":           {"schema.registry.url", u, "basic.auth.credentials.source", "USER_INFO"},
		"SASL_INHERIT":            {"schema.registry.url", u, "basic.auth.credentials.source", "SASL_INHERIT"},
		"bearer.auth.token":       {"schema.registry.url", u, "bearer.auth.credentials.source", "STATIC_TOKEN"},
		"proxy.port":              {"schema.registry.url", u, "proxy.host", "p"},
		"truststore.location":     {"schema.registry.url", u, "schema.registry.ssl.truststore.location", "no/such/file"},
		"holds no PEM":            {"schema.registry.url", u, "schema.registry.ssl.truststore.certificates", "abc"},
		"identification":          {"schema.registry.url", u, "ssl.endpoint.identification.algorithm", "ldap"},
	} {
		if _, err := configured(false, config...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", config, err, want)
		}
	}
}
