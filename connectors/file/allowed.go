package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millrace/connectors"
)

// KeyAllowedPaths is the worker's key behind Allowed.
const KeyAllowedPaths = "file.allowed.paths"

// Allowed are the files, and folders with all that is below them, that connectors may touch: whoever may create a connector could
// otherwise read and write whatever the worker's user can. Nil is everything; empty is nothing but standard input and output.
type Allowed []string

// check returns nil if path may be touched. Links are followed first, for it is the file behind them that counts; relative paths start
// in the worker's folder, as they do when the file is opened.
func (a Allowed) check(path string) error {
	if a == nil || path == "" {
		return nil
	}
	refused := func(reason string) error { return connectors.InvalidValue(keyFile, path, reason) }
	if len(a) == 0 {
		return refused(fmt.Sprintf("the REST API listens beyond the loopback address, so the worker's configuration must say in %s which files connectors may touch",
			KeyAllowedPaths))
	}
	target, err := resolve(path)
	if err != nil {
		return refused(err.Error())
	}
	for _, root := range a {
		within, err := resolve(root)
		if err != nil {
			continue // nothing can be below it
		}
		if rel, err := filepath.Rel(within, target); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return nil
		}
	}
	return refused(fmt.Sprintf("the worker's %s allows only %s", KeyAllowedPaths, strings.Join(a, ", ")))
}

// checkConfig adds what is wrong with the file to a validation's answer.
func (a Allowed) checkConfig(config map[string]string, values []*connectors.ConfigValue) {
	err := a.check(strings.TrimSpace(config[keyFile]))
	if err == nil {
		return
	}
	for _, v := range values {
		if v.Name == keyFile {
			v.AddError(err.Error())
		}
	}
}

// resolve is the absolute path without links of a file that may not be there yet.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if _, err := os.Lstat(path); err == nil {
		return "", errors.New("it is a link to a file that does not exist")
	}
	dir, err := resolve(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}
