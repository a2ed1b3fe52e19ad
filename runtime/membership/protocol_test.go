package membership_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/runtime/assign"
	"millrace/runtime/membership"
)

// goldenShare is how the recorded file shows an assignment.
type goldenShare struct {
	Version      int16
	Error        int16
	Leader       *string
	LeaderURL    *string  `json:"leader-url"`
	ConfigOffset int64    `json:"config-offset"`
	Connectors   []string `json:"connectors"`
	Tasks        []string `json:"tasks"`
	RevokedC     []string `json:"revoked-connectors"`
	RevokedT     []string `json:"revoked-tasks"`
	Delay        int64
}

func (g goldenShare) share(t *testing.T) membership.Share {
	s := membership.Share{Version: g.Version, Error: g.Error, ConfigOffset: g.ConfigOffset, Delay: time.Duration(g.Delay) * time.Millisecond}
	if g.Leader != nil {
		s.Leader = *g.Leader
	}
	if g.LeaderURL != nil {
		s.LeaderURL = *g.LeaderURL
	}
	s.Assigned, s.Revoked = goldenWork(t, g.Connectors, g.Tasks), goldenWork(t, g.RevokedC, g.RevokedT)
	return s
}

func goldenWork(t *testing.T, connectors, tasks []string) assign.Work {
	w := assign.Work{Connectors: slices.Sorted(slices.Values(connectors))}
	for _, text := range tasks {
		at := strings.LastIndexByte(text, '-')
		id, err := strconv.Atoi(text[at+1:])
		if err != nil {
			t.Fatal(err)
		}
		w.Tasks = append(w.Tasks, assign.Task{Connector: text[:at], ID: id})
	}
	slices.SortFunc(w.Tasks, assign.CompareTasks)
	return w
}

type goldenCase struct {
	Name       string
	Bytes      []byte
	Assignment *goldenShare
	Metadata   *struct {
		Version      int16
		URL          string
		ConfigOffset int64 `json:"config-offset"`
		Allocation   *goldenShare
	}
}

func golden(t testing.TB) []goldenCase {
	data, err := os.ReadFile("testdata/protocol.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestGolden reads and writes the bytes of Kafka Connect.
func TestGolden(t *testing.T) {
	compared := 0
	for _, g := range golden(t) {
		if g.Assignment == nil && g.Metadata == nil {
			if !strings.HasPrefix(g.Name, "JoinGroup protocols") { // bytes of a whole request, which kmsg writes
				t.Errorf("%s: the case has nothing to compare with", g.Name)
			}
			continue
		}
		compared++
		t.Run(g.Name, func(t *testing.T) {
			var again []byte
			switch {
			case g.Assignment != nil:
				got, err := membership.ParseShare(g.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(g.Assignment.share(t), got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("assignment (-want +got):\n%s", diff)
				}
				again = got.Append(nil)
			case g.Metadata != nil:
				got, err := membership.ParseMetadata(g.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				want := membership.Metadata{Version: g.Metadata.Version, URL: g.Metadata.URL, ConfigOffset: g.Metadata.ConfigOffset}
				if a := g.Metadata.Allocation; a != nil && a.Leader != nil { // where there is none, the file shows an empty one
					s := a.share(t)
					want.Allocation = &s
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("metadata (-want +got):\n%s", diff)
				}
				again = got.Append(nil)
			}
			// Kafka Connect writes connectors in the order of its maps, which means nothing: apart from that the bytes are the same.
			slices.Sort(g.Bytes)
			slices.Sort(again)
			if diff := cmp.Diff(g.Bytes, again); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
		})
	}
	t.Logf("golden: %d cases", compared)
}

func FuzzParse(f *testing.F) {
	for _, g := range golden(f) {
		f.Add(g.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := membership.ParseShare(b); err == nil {
			again, err := membership.ParseShare(s.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("assignment changed:\n%s", diff)
			}
		}
		if m, err := membership.ParseMetadata(b); err == nil {
			again, err := membership.ParseMetadata(m.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("metadata changed:\n%s", diff)
			}
		}
	})
}
