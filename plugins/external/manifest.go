package external

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"millrace/plugins/external/wire"
)

// Suffix is how the name of a manifest ends.
const Suffix = ".millrace-plugin.json"

// maxManifest bounds a manifest, in bytes.
const maxManifest = 1 << 20

// The defaults and limits of a manifest's optional members.
const (
	defaultCallTimeout = time.Minute
	minCallTimeout     = 100 * time.Millisecond
	maxCallTimeout     = time.Hour
	minMemory          = 16 << 20
)

// manifest is the file that names a program. DESIGN.md describes its members.
type manifest struct {
	Command       []string          `json:"command"`
	Protocol      int               `json:"protocol"`
	SHA256        string            `json:"sha256"`
	Classes       []string          `json:"classes"`
	Version       string            `json:"version"`
	Isolation     string            `json:"isolation"`
	CallTimeoutMs int64             `json:"call_timeout_ms"`
	MemoryLimitMB int64             `json:"memory_limit_mb"`
	Env           map[string]string `json:"env"`
}

// The values of isolation.
const (
	isolateTask    = "task"
	isolateProgram = "program"
)

// A program is what a valid manifest names.
type program struct {
	file      string // of the manifest
	path      string // of the executable
	args      []string
	sum       []byte
	classes   []string
	version   string
	perTask   bool
	timeout   time.Duration
	maxMemory int64 // bytes; 0 is no limit
	env       map[string]string
}

// readManifest returns the program that the manifest in file names. It reports all mistakes at once.
func readManifest(file string) (*program, error) {
	if err := notWritableByAll(file); err != nil {
		return nil, err
	}
	text, err := readAtMost(file, maxManifest)
	if err != nil {
		return nil, err
	}
	var m manifest
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("not a manifest: %w", err)
	}
	if d.More() {
		return nil, errors.New("not a manifest: there is more after the JSON object")
	}
	p := &program{
		file: file, classes: m.Classes, version: m.Version, perTask: m.Isolation != isolateProgram, timeout: defaultCallTimeout,
		maxMemory: m.MemoryLimitMB << 20, env: m.Env,
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case len(m.Command) == 0:
		bad("command: must be a list that begins with the program")
	case !filepath.IsLocal(m.Command[0]):
		bad("command: %q must be a path inside the manifest's folder", m.Command[0])
	default:
		p.path, p.args = filepath.Join(filepath.Dir(file), m.Command[0]), m.Command[1:]
	}
	if m.Protocol != wire.Version {
		bad("protocol: version %d is not spoken here, only %d; use a build of the plugin for it", m.Protocol, wire.Version)
	}
	if p.sum, err = hex.DecodeString(m.SHA256); err != nil || len(p.sum) != sha256.Size {
		bad("sha256: must be the 64 hexadecimal digits of the program's SHA-256, got %q", m.SHA256)
	}
	if len(m.Classes) == 0 {
		bad("classes: must name at least one class")
	}
	if m.Isolation != "" && m.Isolation != isolateTask && m.Isolation != isolateProgram {
		bad("isolation: must be %s or %s, got %q", isolateTask, isolateProgram, m.Isolation)
	}
	if t := time.Duration(m.CallTimeoutMs) * time.Millisecond; m.CallTimeoutMs != 0 {
		p.timeout = t
		if m.CallTimeoutMs < 0 || m.CallTimeoutMs > maxCallTimeout.Milliseconds() || t < minCallTimeout {
			bad("call_timeout_ms: must be from %d to %d, got %d", minCallTimeout.Milliseconds(), maxCallTimeout.Milliseconds(), m.CallTimeoutMs)
		}
	}
	if m.MemoryLimitMB != 0 && (m.MemoryLimitMB < minMemory>>20 || m.MemoryLimitMB > 1<<30) {
		bad("memory_limit_mb: must be at least %d, or 0 for no limit, got %d", minMemory>>20, m.MemoryLimitMB)
	}
	for name := range m.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			bad("env: %q is no name of a variable", name)
		}
	}
	return p, errors.Join(errs...)
}

// verify checks that the program is the one that the manifest means.
func (p *program) verify() error {
	if err := notWritableByAll(p.path); err != nil {
		return err
	}
	f, err := os.Open(p.path)
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	if sum := h.Sum(nil); !bytes.Equal(sum, p.sum) {
		return fmt.Errorf("sha256: %s has %x, the manifest says %x; install the program that belongs to the manifest", p.path, sum, p.sum)
	}
	return nil
}

// environment is what the program is started with: little of the worker's, which may hold secrets, and what the manifest adds.
func (p *program) environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	if p.maxMemory > 0 { // a Go program collects harder before it is killed
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", p.maxMemory/4*3))
	}
	for name, value := range p.env {
		env = append(env, name+"="+value)
	}
	return env
}

func notWritableByAll(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%s can be written by every user, so it is not run; chmod o-w it", file)
	}
	return nil
}

func readAtMost(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("not a manifest: longer than %d bytes", limit)
	}
	return text, nil
}
