package sslconfig

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	"millrace/connectors"
)

// A reader reads settings and collects their mistakes.
type reader struct {
	props  map[string]string
	prefix string // stands before every name in props
	errs   []error
}

func (r *reader) text(name string) (string, bool) {
	text, ok := r.props[r.prefix+name]
	return strings.TrimSpace(text), ok
}

func (r *reader) wrong(name, rule string) {
	value := r.props[r.prefix+name]
	if strings.Contains(name, "password") || name == "ssl.keystore.key" {
		value = "[hidden]"
	}
	r.errs = append(r.errs, connectors.InvalidValue(r.prefix+name, value, rule))
}

// material reads a store's bytes: inline PEM under key inline, or the file under key location. nil: neither is set.
func (r *reader) material(inline, location string) []byte {
	if text, ok := r.text(inline); ok && text != "" {
		return []byte(text)
	}
	path, ok := r.text(location)
	if !ok || path == "" {
		return nil
	}
	data, err := readFile(path)
	if err != nil {
		r.wrong(location, err.Error())
	}
	return data
}

// storeMost bounds the size of a store.
const storeMost = 16 << 20

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", path)
	case info.Size() > storeMost:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, storeMost)
	}
	return os.ReadFile(path)
}

// names splits a list at commas and blanks.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}
