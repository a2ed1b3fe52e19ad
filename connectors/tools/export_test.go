package tools

import (
	"io"

	"millrace/connectors"
)

// PluginsWritingTo is Plugins with another standard output.
func PluginsWritingTo(w io.Writer) []connectors.Plugin { return pluginsWritingTo(&lines{w: w}) }

// AppendJSON is a value as a line has it.
func AppendJSON(b []byte, value any) []byte { return appendJSON(b, value) }

// CommitBytes is how much the sink keeps before it asks for a commit.
const CommitBytes = commitBytes
