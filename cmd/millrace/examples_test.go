package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"millrace/rest"
)

const examples = "../../examples"

// TestTour runs the curl script as it is written.
func TestTour(t *testing.T) {
	w := start(t)
	script := plainTool(t, "sh")
	need(t, "curl", installed("curl"))
	out := script.run(t, "", filepath.Join(examples, "tour.sh"), "http://"+w.REST)
	if !strings.HasSuffix(out, "every route answered as expected\n") {
		t.Errorf("the tour ended with:\n%s", out)
	}
}

// TestPostman runs the collection with newman.
func TestPostman(t *testing.T) {
	newman := nodeTool(t, cached(t, "npm", "node_modules", "newman", "bin", "newman.js"))
	w := start(t)
	file := filepath.Join(t.TempDir(), "lines.txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newman.run(t, "", "run", filepath.Join(examples, "millrace.postman_collection.json"), "--bail", "--color", "off",
		"--env-var", "baseUrl=http://"+w.REST, "--env-var", "file="+file)
}

// TestExamplesCallEveryRoute compares the script and the collection with the table of routes.
func TestExamplesCallEveryRoute(t *testing.T) {
	for _, file := range []string{"tour.sh", "millrace.postman_collection.json"} {
		text, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			t.Fatal(err)
		}
		called := calls(t, file, text)
		paths, ok := rest.OpenAPI("0")["paths"].(map[string]any)
		if !ok {
			t.Fatal("the OpenAPI document has no paths")
		}
		for path, operations := range paths {
			for method := range operations.(map[string]any) {
				route := regexp.MustCompile("(?i)^" + method + " " + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
				if !slices.ContainsFunc(called, route.MatchString) {
					t.Errorf("%s does not call %s %s", file, strings.ToUpper(method), path)
				}
			}
		}
	}
}

// calls are the requests of an example, as METHOD /path.
func calls(t *testing.T, file string, text []byte) []string {
	t.Helper()
	var list []string
	if strings.HasSuffix(file, ".sh") {
		for _, m := range regexp.MustCompile(`(?m)^call (\w+) ['"]?([^'" ?]+)`).FindAllSubmatch(text, -1) {
			list = append(list, string(m[1])+" "+string(m[2]))
		}
		return list
	}
	type item struct {
		Item    []item
		Request struct {
			Method string
			URL    struct{ Raw string }
		}
	}
	var collection item
	if err := json.Unmarshal(text, &collection); err != nil {
		t.Fatal(err)
	}
	for _, folder := range collection.Item {
		for _, i := range folder.Item {
			path, _, _ := strings.Cut(strings.TrimPrefix(i.Request.URL.Raw, "{{baseUrl}}"), "?")
			list = append(list, i.Request.Method+" "+path)
		}
	}
	return list
}
