package providers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millrace/plugins/properties"
)

const (
	allowedPaths = "allowed.paths"
	// maxFile bounds what is read of a file.
	maxFile = 1 << 20
)

// roots are the folders and files that may be read, without symbolic links; nil allows all.
type roots []string

func parseRoots(param func(string) (string, bool)) (roots, error) {
	text, set := param(allowedPaths)
	if !set || strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var r roots
	for path := range strings.SplitSeq(text, ",") {
		path = strings.TrimSpace(path)
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("Path %s is not absolute", path)
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, fmt.Errorf("Path %s does not exist: %w", path, err)
		}
		r = append(r, real)
	}
	return r, nil
}

// locate follows the links of path; ok is false if it leads out of what is allowed.
func (r roots) locate(path string) (real string, ok bool, err error) {
	if real, err = filepath.EvalSymlinks(path); err != nil {
		// Whether something out there exists is not told.
		return "", r == nil || r.holds(filepath.Clean(path)), err
	}
	return real, r == nil || r.holds(real), nil
}

func (r roots) holds(path string) bool {
	for _, root := range r {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return data, err
}

// reason is an I/O error without the path, which stands before it already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// files is Kafka's FileConfigProvider: the path is that of a properties file.
type files struct{ roots roots }

func newFiles(param func(string) (string, bool)) (Provider, error) {
	r, err := parseRoots(param)
	return files{r}, err
}

// Get implements Provider.
func (p files) Get(path string, keys []string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	real, ok, err := p.roots.locate(path)
	if !ok {
		return nil, nil
	}
	var data []byte
	if err == nil {
		data, err = read(real)
	}
	if err != nil {
		return nil, fmt.Errorf("Could not read properties from file %s: %w", path, reason(err))
	}
	entries, err := properties.Parse(data)
	if err != nil {
		var syntax *properties.SyntaxError
		if errors.As(err, &syntax) { // its text may have the line's value
			return nil, fmt.Errorf("Could not read properties from file %s: line %d is no property", path, syntax.Line)
		}
		return nil, fmt.Errorf("Could not read properties from file %s", path)
	}
	all := make(map[string]string, len(entries))
	for _, e := range entries {
		all[e.Key] = e.Value
	}
	values := make(map[string]string, len(keys))
	for _, k := range keys {
		if v, ok := all[k]; ok {
			values[k] = v
		}
	}
	return values, nil
}

// directories is Kafka's DirectoryConfigProvider: the path is a directory, a key a file in it, the value its whole text.
type directories struct{ roots roots }

func newDirectories(param func(string) (string, bool)) (Provider, error) {
	r, err := parseRoots(param)
	return directories{r}, err
}

// Get implements Provider.
func (p directories) Get(path string, keys []string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	real, ok, err := p.roots.locate(path)
	if !ok {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Could not list directory %s: %w", path, reason(err))
	}
	values := make(map[string]string, len(keys))
	for _, k := range keys {
		if k == "" || k != filepath.Base(k) || k == ".." || k == "." {
			continue // no file of this directory
		}
		file, ok, err := p.roots.locate(filepath.Join(real, k))
		if !ok || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var data []byte
		if err == nil {
			data, err = read(file)
		}
		if err != nil {
			return nil, fmt.Errorf("Could not read file %s: %w", filepath.Join(path, k), reason(err))
		}
		values[k] = string(data)
	}
	return values, nil
}
