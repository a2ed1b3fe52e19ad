package providers_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/plugins/providers"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// set has the providers file, dir and env; those of files may read root/open.
func set(t *testing.T, root string) *providers.Set {
	t.Helper()
	const pkg = "org.apache.kafka.common.config.provider."
	s, err := providers.Parse(map[string]string{
		"config.providers":                             "file, dir,env,free",
		"config.providers.file.class":                  pkg + "FileConfigProvider",
		"config.providers.file.param.allowed.paths":    filepath.Join(root, "open"),
		"config.providers.file.param.ttl.ms":           "5000",
		"config.providers.dir.class":                   "DirectoryConfigProvider",
		"config.providers.dir.param.allowed.paths":     filepath.Join(root, "open"),
		"config.providers.env.class":                   "com.company.EnvVarConfigProvider",
		"config.providers.env.param.allowlist.pattern": "MILLRACE_T.*",
		"config.providers.free.class":                  "file",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestResolve(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "open", "s.properties"), "password = hunter2\nuser=alice\nempty=\n")
	write(t, filepath.Join(root, "open", "dir", "token"), "abc\n")
	write(t, filepath.Join(root, "shut", "s.properties"), "password=other\n")
	if err := os.Symlink(filepath.Join(root, "shut", "s.properties"), filepath.Join(root, "open", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "shut", "s.properties"), filepath.Join(root, "open", "dir", "link")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MILLRACE_TEST", "from env")
	t.Setenv("OTHER_TEST", "not this")
	s := set(t, root)
	for _, test := range []struct{ name, value, want string }{
		{"whole", "${file:R/open/s.properties:password}", "hunter2"},
		{"several in a text", "u=${file:R/open/s.properties:user};p=${file:R/open/s.properties:password}.", "u=alice;p=hunter2."},
		{"one of two is there", "${file:R/open/s.properties:user}${file:R/open/s.properties:nobody}", "alice${file:R/open/s.properties:nobody}"},
		{"an empty value", "x${file:R/open/s.properties:empty}y", "xy"},
		{"no such key", "${file:R/open/s.properties:nobody}", "${file:R/open/s.properties:nobody}"},
		{"outside", "${file:R/shut/s.properties:password}", "${file:R/shut/s.properties:password}"},
		{"outside and not there", "${file:R/shut/nothing:password}", "${file:R/shut/nothing:password}"},
		{"out by dots", "${file:R/open/../shut/s.properties:password}", "${file:R/open/../shut/s.properties:password}"},
		{"out by a link", "${file:R/open/link:password}", "${file:R/open/link:password}"},
		{"a provider without bounds", "${free:R/shut/s.properties:password}", "other"},
		{"the whole file", "${dir:R/open/dir:token}", "abc\n"},
		{"no file of the directory", "${dir:R/open/dir:../s.properties}", "${dir:R/open/dir:../s.properties}"},
		{"a file that leads out", "${dir:R/open/dir:link}", "${dir:R/open/dir:link}"},
		{"a variable", "${env:MILLRACE_TEST}", "from env"},
		{"a variable that may not be read", "${env:OTHER_TEST}", "${env:OTHER_TEST}"},
		{"no path", "${file:password}", "${file:password}"},
		{"unknown provider", "${vault:a:b}", "${vault:a:b}"},
		{"no reference", "$5 and ${x}", "$5 and ${x}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			value := strings.ReplaceAll(test.value, "R/", root+"/")
			config := map[string]string{"k": value, "plain": "v"}
			got, err := s.Resolve(config)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(test.want, "R/", root+"/"); got.Config["k"] != want {
				t.Errorf("got %q, want %q", got.Config["k"], want)
			}
			if config["k"] != value || got.Config["plain"] != "v" {
				t.Error("another value changed")
			}
			if changed := len(got.Changed) > 0; changed != (got.Config["k"] != value) {
				t.Errorf("changed %v", got.Changed)
			}
			if left := strings.Contains(got.Config["k"], ":"); left != (len(got.Missing) > 0) && test.name != "no reference" {
				t.Errorf("missing %v", got.Missing)
			}
		})
	}
}

func TestResolvedSaysWhatItFound(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "open", "s.properties")
	write(t, path, "password=hunter2\n")
	got, err := set(t, root).Resolve(map[string]string{
		"b": "${file:" + path + ":password}", "a": "${file:" + path + ":password}", "c": "${file:" + path + ":none}",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := providers.Resolved{
		Config:  map[string]string{"a": "hunter2", "b": "hunter2", "c": "${file:" + path + ":none}"},
		Changed: []string{"a", "b"}, Secrets: []string{"hunter2"}, TTL: 5 * time.Second,
		Missing: []providers.Reference{{ConfigKey: "c", Provider: "file", Path: path, Key: "none"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "open", "bad.properties"), "password=\\uhunter2\n")
	write(t, filepath.Join(root, "open", "large"), strings.Repeat("#", 1<<20+1))
	s := set(t, root)
	for _, test := range []struct{ value, want string }{
		{"${file:R/open/none:k}", "db.password: config provider file: Could not read properties from file R/open/none: no such file or directory"},
		{"${file:R/open:k}", "db.password: config provider file: Could not read properties from file R/open: not a regular file"},
		{"${file:R/open/bad.properties:k}", "db.password: config provider file: Could not read properties from file R/open/bad.properties: line 1 is no property"},
		{"${file:R/open/large:k}", "db.password: config provider file: Could not read properties from file R/open/large: larger than 1048576 bytes"},
		{"${dir:R/open/none:k}", "db.password: config provider dir: Could not list directory R/open/none: no such file or directory"},
		{"${env:x:k}", "db.password: config provider env: Path is not supported for EnvVarConfigProvider, invalid value 'x'"},
	} {
		_, err := s.Resolve(map[string]string{"db.password": strings.ReplaceAll(test.value, "R/", root+"/")})
		if want := strings.ReplaceAll(strings.ReplaceAll(test.want, "R/", root+"/"), "file R", "file "+root); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", test.value, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		props map[string]string
		want  string
	}{
		{map[string]string{"class": "java.lang.String"}, "java.lang.String"},
		{map[string]string{"class": "FileConfigProvider", "param.allowed.path": "/"}, "config.providers.p.param.allowed.path: "},
		{map[string]string{"class": "FileConfigProvider", "param.allowed.paths": "relative"}, "Path relative is not absolute"},
		{map[string]string{"class": "FileConfigProvider", "param.allowed.paths": "/no/such/folder"}, "Path /no/such/folder does not exist"},
		{map[string]string{"class": "EnvVarConfigProvider", "param.allowlist.pattern": "("}, "config.providers.p.param.allowlist.pattern"},
		{map[string]string{"class": "EnvVarConfigProvider", "param.ttl.ms": "0"}, "at least 1"},
	} {
		props := map[string]string{"config.providers": "p"}
		for k, v := range test.props {
			props["config.providers.p."+k] = v
		}
		if _, err := providers.Parse(props); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %s", test.props, err, test.want)
		}
	}
}

func TestNoProviders(t *testing.T) {
	var none *providers.Set
	got, err := none.Resolve(map[string]string{"a": "${file:/x:y}"})
	if err != nil || got.Config["a"] != "${file:/x:y}" || len(got.Missing) != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestNameWithoutClass(t *testing.T) {
	s, err := providers.Parse(map[string]string{"config.providers": "p"})
	if err != nil || s.Has("p") || !slices.Equal(s.Unmade(), []string{"p"}) {
		t.Errorf("has p: %v, unmade %v, error %v", s.Has("p"), s.Unmade(), err)
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("${env:HOME}")
	f.Add("a${env::HOME}${x:y:z}}${")
	s, err := providers.Parse(map[string]string{"config.providers": "env", "config.providers.env.class": "env"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, err := s.Resolve(map[string]string{"k": value})
		if err != nil {
			return
		}
		if len(r.Changed) == 0 && r.Config["k"] != value {
			t.Errorf("%q became %q", value, r.Config["k"])
		}
	})
}
