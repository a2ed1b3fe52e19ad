package transforms

import (
	"fmt"
	"strings"

	"millrace/connectors"
)

var fieldSyntaxConfig = connectors.ConfigKey{
	Name: "field.syntax.version", Type: connectors.ConfigString, Default: "V1", Importance: connectors.High,
	Validator: connectors.CaseInsensitiveIn("V1", "V2"),
	Doc: "V1: the name is that of a field at the top. V2: dots separate the steps to a nested field, backticks quote a step " +
		"with dots, and a backslash before a backtick makes it a character like others.",
}

// parsePath splits a path of field syntax V2 (KIP-821) into steps.
func parsePath(path string) ([]string, error) {
	var steps []string
	pos := 0
	for {
		if pos < len(path) && path[pos] == '`' {
			step, end := quotedStep(path, pos+1)
			if end < 0 {
				return nil, &connectors.ConfigError{Msg: fmt.Sprintf("Incomplete backtick pair in path: [%s], "+
					"consider adding a backslash before backtick at position %d to escape it", path, pos)}
			}
			steps = append(steps, step)
			if end+1 == len(path) {
				return steps, nil
			}
			pos = end + 2
			continue
		}
		dot := strings.IndexByte(path[pos:], '.')
		if dot < 0 {
			return append(steps, path[pos:]), nil
		}
		steps = append(steps, path[pos:pos+dot])
		pos += dot + 1
	}
}

// quotedStep returns the step that begins after a backtick and the place of the backtick that ends it, -1 if there is none.
// Only a backtick before a dot or the end can end a step; within, others need no backslash, and keep one that they have.
func quotedStep(path string, start int) (step string, end int) {
	for i := start; i < len(path); i++ {
		last := i+1 == len(path)
		if path[i] != '`' || !last && path[i+1] != '.' {
			continue
		}
		if path[i-1] != '\\' {
			return step + path[start:i], i
		}
		step += path[start:i-1] + "`"
		start = i + 1
	}
	return "", -1
}
