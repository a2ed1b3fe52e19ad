package filestore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/offsets"
	"millrace/offsets/filestore"
	"millrace/offsets/offsetstest"
)

func TestContract(t *testing.T) {
	offsetstest.Run(t, func(t *testing.T) offsetstest.Opener {
		path := filepath.Join(t.TempDir(), "offsets")
		return func(t *testing.T) offsets.Store {
			s, err := filestore.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// TestGolden reads the files that Kafka Connect wrote.
func TestGolden(t *testing.T) {
	files := []string{"testdata/offsets-file.json"}
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "internal-topics", "offsets-file*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	n := 0
	for _, file := range files {
		var cases []struct {
			Name    string
			Bytes   []byte
			Entries []struct {
				Key   string
				Value *string
			}
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			n++
			t.Run(c.Name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "offsets")
				if err := os.WriteFile(path, c.Bytes, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := filestore.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				check := func(s *filestore.Store) {
					t.Helper()
					for _, e := range c.Entries {
						connector, partition, err := offsets.DecodeKey([]byte(e.Key))
						if err != nil {
							t.Fatal(err)
						}
						var want map[string]any
						if e.Value != nil {
							if want, err = offsets.DecodeValue([]byte(*e.Value)); err != nil {
								t.Fatal(err)
							}
						}
						got, err := s.Get(t.Context(), connector, []map[string]any{partition})
						if err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff([]map[string]any{want}, got); diff != "" {
							t.Errorf("%s (-want +got):\n%s", e.Key, diff)
						}
					}
				}
				check(s)
				// An empty Put rewrites the file: what we write reads back the same.
				if err := s.Put(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if s, err = filestore.Open(path); err != nil {
					t.Fatal(err)
				}
				check(s)
			})
		}
	}
	t.Logf("golden: %d cases", n)
}

func TestOpen_refuses_other_files(t *testing.T) {
	for _, text := range []string{"position=1\n", "\xac\xed\x00\x05sr"} {
		path := filepath.Join(t.TempDir(), "offsets")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := filestore.Open(path); err == nil {
			t.Errorf("Open of %q succeeded", text)
		}
	}
}
