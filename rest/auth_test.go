package rest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/rest"
	"millrace/runtime"
)

const (
	authPackage = "org.apache.kafka.connect.rest.basic.auth.extension."
	authClass   = authPackage + "BasicAuthSecurityRestExtension"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// login writes a login configuration and its users.
func login(t *testing.T, users string) (config, usersFile string) {
	t.Helper()
	dir := t.TempDir()
	usersFile = write(t, filepath.Join(dir, "users"), users)
	return write(t, filepath.Join(dir, "login.conf"),
		"KafkaConnect { "+authPackage+"PropertyFileLoginModule required file=\""+usersFile+"\"; };"), usersFile
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func healthy(context.Context) (runtime.WorkerStatus, error) {
	return runtime.WorkerStatus{Status: "healthy"}, nil
}

func TestBasicAuth(t *testing.T) {
	config, _ := login(t, "alice=secret\nbob=p:w\\u00e4\n# a comment\n")
	c, err := rest.ParseConfig(map[string]string{"rest.extension.classes": authClass, "java.security.auth.login.config": config})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := rest.New(c, &fakeHerder{health: healthy}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, path, credentials string
		status                    int
	}{
		{"GET", "/health", basic("alice", "secret"), 200},
		{"GET", "/health", basic("bob", "p:wä"), 200},
		{"GET", "/health", basic("alice", "secret "), 401},
		{"GET", "/health", basic("carol", ""), 401},
		{"GET", "/health", basic("", ""), 401},
		{"GET", "/health", "", 401},
		{"GET", "/openapi.json", "", 401},
		{"OPTIONS", "/health", "", 401},
		{"PUT", "/connectors/x/fence", "", 400},
		{"PUT", "/connectors/x%2Ffence", "", 405}, // a connector's name,
		{"POST", "/connectors/a/tasks/0/restart", "", 401},
		{"GET", "/nothing", "", 404},
		{"PATCH", "/health", "", 405},
	} {
		w := ask(s.Handler(), test.method, test.path, "", "Authorization", test.credentials)
		if w.Code != test.status {
			t.Errorf("%s %s with %q: %d %s, want %d", test.method, test.path, test.credentials, w.Code, w.Body, test.status)
		}
		if w.Code == 401 && (w.Body.String() != "User cannot access the resource." || w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s %s: %s, header %v", test.method, test.path, w.Body, w.Header())
		}
	}
	for _, secret := range []string{"secret", "p:w", basic("alice", "secret")} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, &log)
		}
	}
}

func TestBasicAuth_follows_its_files(t *testing.T) {
	config, users := login(t, "alice=secret\n")
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, rest.Config{Extensions: []string{authClass}, LoginConfig: config}, &fakeHerder{health: healthy})
		status := func(password string) int {
			time.Sleep(2 * time.Second) // of the bubble's clock
			return ask(s.Handler(), "GET", "/health", "", "Authorization", basic("alice", password)).Code
		}
		if got := status("secret"); got != 200 {
			t.Errorf("at first: %d", got)
		}
		write(t, users, "alice=changed\n")
		if old, got := status("secret"), status("changed"); old != 401 || got != 200 {
			t.Errorf("after a change: old %d, new %d", old, got)
		}
		write(t, users, "")
		if got := status("changed"); got != 200 {
			t.Errorf("with a file that has no users: %d, want the former ones", got)
		}
		if err := os.Remove(users); err != nil {
			t.Fatal(err)
		}
		if got := status("changed"); got != 200 {
			t.Errorf("without the file: %d, want the former users", got)
		}
		write(t, users, "alice=again\n")
		if got := status("again"); got != 200 {
			t.Errorf("with the file again: %d", got)
		}
	})
}

func TestBasicAuth_refuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string { return write(t, filepath.Join(dir, name), text) }
	noUsers, _ := login(t, "# nobody\n")
	for _, test := range []struct{ class, config, want string }{
		{"com.example.Mine", "", "Invalid value com.example.Mine for configuration rest.extension.classes: there is one REST extension, " + authClass},
		{authClass, "", "rest.extension.classes: " + authClass + " needs a login configuration; set java.security.auth.login.config"},
		{authClass, filepath.Join(dir, "none"), "for configuration java.security.auth.login.config: open "},
		{authClass, file("a", "KafkaConnect { x"), "section KafkaConnect must end with };"},
		{authClass, file("b", "KafkaClient { "+authPackage+"PropertyFileLoginModule required; };"), "section KafkaConnect must have one entry"},
		{authClass, file("c", "KafkaConnect { com.sun.security.auth.module.JndiLoginModule required; };"), "with the login module " + authPackage + "PropertyFileLoginModule"},
		{authClass, file("d", "KafkaConnect { "+authPackage+"PropertyFileLoginModule required; };"), "must have the option file"},
		{authClass, file("e", "KafkaConnect { "+authPackage+"PropertyFileLoginModule required file=\"/none\"; };"), "its option file: open /none"},
		{authClass, noUsers, "has no user"},
	} {
		_, err := rest.ParseConfig(map[string]string{"rest.extension.classes": test.class, "java.security.auth.login.config": test.config})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: error %v lacks %q", test.class, test.config, err, test.want)
		}
	}
}
