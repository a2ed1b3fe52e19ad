package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors/file"
	"millrace/runtime"
)

func TestAllowedFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		paths, listeners string
		want             file.Allowed
	}{
		"defaults":             {"", "", nil},
		"loopback":             {"", "http://127.0.0.1:8083, http://localhost:8084,https://[::1]:8443", nil},
		"all interfaces":       {"", "http://:8083", file.Allowed{}},
		"one of two elsewhere": {"", "http://127.0.0.1:8083,http://10.0.0.7:8083", file.Allowed{}},
		"named":                {"/data, /srv/in.txt", "http://0.0.0.0:8083", file.Allowed{"/data", "/srv/in.txt"}},
		"named on loopback":    {"/data", "", file.Allowed{"/data"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := allowedFiles(runtime.Config{Properties: map[string]string{"file.allowed.paths": tc.paths, "listeners": tc.listeners}})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
