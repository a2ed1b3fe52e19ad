package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/file"
)

func TestAllowed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "in.txt"), "line\n")
	write(t, filepath.Join(outside, "secret"), "line\n")
	for name, target := range map[string]string{"out": filepath.Join(outside, "secret"), "gone": filepath.Join(outside, "new"), "folder": outside, "within": filepath.Join(dir, "in.txt")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	only := file.Allowed{dir}
	for name, tc := range map[string]struct {
		allowed file.Allowed
		path    string
		refused string
	}{
		"everything":               {nil, filepath.Join(outside, "secret"), ""},
		"nothing":                  {file.Allowed{}, filepath.Join(dir, "in.txt"), "must say in file.allowed.paths which files"},
		"standard input":           {file.Allowed{}, "", ""},
		"below":                    {only, filepath.Join(dir, "in.txt"), ""},
		"not there yet":            {only, filepath.Join(dir, "sub", "new.txt"), ""},
		"a file by its name":       {file.Allowed{filepath.Join(outside, "secret")}, filepath.Join(outside, "secret"), ""},
		"elsewhere":                {only, filepath.Join(outside, "secret"), "file.allowed.paths allows only " + dir},
		"beside, same beginning":   {only, dir + "-other", "allows only"},
		"up and out":               {only, filepath.Join(dir, "..", filepath.Base(outside), "secret"), "allows only"},
		"a link within":            {only, filepath.Join(dir, "within"), ""},
		"a link out":               {only, filepath.Join(dir, "out"), "allows only"},
		"a link to a new file out": {only, filepath.Join(dir, "gone"), "link to a file that does not exist"},
		"a file behind a link":     {only, filepath.Join(dir, "folder", "secret"), "allows only"},
	} {
		t.Run(name, func(t *testing.T) {
			config := map[string]string{"topic": "t"}
			if tc.path != "" {
				config["file"] = tc.path
			}
			check := func(where, got string) {
				t.Helper()
				if tc.refused == "" && got != "" || tc.refused != "" && (!strings.Contains(got, tc.refused) || !strings.Contains(got, tc.path)) {
					t.Errorf("%s: %q, want %q", where, got, tc.refused)
				}
			}
			for _, p := range file.Limited(tc.allowed) {
				values := []*connectors.ConfigValue{{Name: "topic"}, {Name: "file"}}
				var instance any
				var err error
				if p.Kind == connectors.KindSource {
					s := p.NewSource()
					instance, err = s, s.Start(connectortest.NewConnectorContext(t), config)
				} else {
					s := p.NewSink()
					instance, err = s, s.Start(connectortest.NewConnectorContext(t), config)
				}
				check("start of "+string(p.Kind), text(err))
				instance.(connectors.ConfigValidator).ValidateConfig(config, values)
				check("validation of "+string(p.Kind), strings.Join(values[1].Errors, ", "))
			}
		})
	}
}

// What lies at the path may change after the connector was made.
func TestTaskChecksWhatItOpens(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "in.txt")
	write(t, filepath.Join(outside, "secret"), "line\n")
	task := file.Limited(file.Allowed{dir})[0].NewSource().NewTask()
	if err := task.Start(t.Context(), connectortest.NewSourceContext(t), map[string]string{"file": path, "topic": "t"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), path); err != nil {
		t.Fatal(err)
	}
	if records, err := task.Poll(t.Context()); len(records) > 0 || !strings.Contains(text(err), "allows only") {
		t.Errorf("%d records, %v", len(records), err)
	}
	if err := task.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
