package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// output is the value of -o.
type output string

const (
	asTable output = "table"
	asJSON  output = "json"
)

func (o *output) String() string { return string(*o) }
func (o *output) Type() string   { return "table|json" }

func (o *output) Set(s string) error {
	if s != string(asTable) && s != string(asJSON) {
		return fmt.Errorf("want table or json")
	}
	*o = output(s)
	return nil
}

func (o *output) register(cmd *cobra.Command) {
	*o = asTable
	cmd.PersistentFlags().VarP(o, "output", "o", "`form` of the result")
	complete(cmd, "output", "table", "json")
}

// complete offers fixed values for a flag. It fails only for a flag that does not exist.
func complete(cmd *cobra.Command, flag string, values ...string) {
	f := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeTable writes rows under an upper-case header, without borders.
func writeTable(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
