package connectjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Read reads one JSON value: objects become map[string]any, integers int64, other numbers float64.
func Read(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON value")
	}
	return Normalize(v)
}

// Normalize turns each json.Number within v into an int64 or a float64, in place.
func Normalize(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i, e := range v {
			n, err := Normalize(e)
			if err != nil {
				return nil, err
			}
			v[i] = n
		}
	case map[string]any:
		for name, e := range v {
			n, err := Normalize(e)
			if err != nil {
				return nil, err
			}
			v[name] = n
		}
	}
	return v, nil
}

func number(n json.Number) (any, error) {
	if !strings.ContainsAny(n.String(), ".eE") {
		if i, err := n.Int64(); err == nil {
			return i, nil
		}
	}
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("number %s is out of range", n)
	}
	return f, nil
}
