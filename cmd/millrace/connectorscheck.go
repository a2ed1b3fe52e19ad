package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/internal/restclient"
)

func newConnectorsValidate(f *restFlags) *cobra.Command {
	b := &bodyFlags{}
	cmd := &cobra.Command{
		Use: "validate [NAME] [key=value...]", Short: "Check the configuration of a connector without creating it",
		Example: "  millrace connectors validate -f connector.json\n  millrace connectors validate -f connector.json -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := b.read(cmd, args)
			if err != nil {
				return err
			}
			class := c.Config["connector.class"]
			if class == nil || *class == "" {
				return usagef("%s: connector.class is missing", c.Name)
			}
			answer, err := f.client().Do(cmd.Context(), http.MethodPut, restclient.Path("connector-plugins", *class, "config", "validate"), c.Config)
			if err != nil {
				return err
			}
			return f.showValidation(cmd, c.Name, answer)
		},
	}
	b.register(cmd)
	return cmd
}

func (f *restFlags) showValidation(cmd *cobra.Command, name string, answer json.RawMessage) error {
	var infos struct {
		ErrorCount int `json:"error_count"`
		Configs    []struct {
			Value struct {
				Name   string   `json:"name"`
				Errors []string `json:"errors"`
			} `json:"value"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(answer, &infos); err != nil {
		return err
	}
	if f.out == asJSON {
		if err := writeJSON(cmd.OutOrStdout(), answer); err != nil {
			return err
		}
	} else if infos.ErrorCount > 0 {
		var rows [][]string
		for _, c := range infos.Configs {
			for _, e := range c.Value.Errors {
				rows = append(rows, []string{c.Value.Name, e})
			}
		}
		if err := writeTable(cmd.OutOrStdout(), []string{"KEY", "ERROR"}, rows); err != nil {
			return err
		}
	}
	if infos.ErrorCount > 0 {
		return usagef("connector %s: %d errors in its configuration", name, infos.ErrorCount)
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "connector %s: the configuration is valid\n", name)
	return err
}

func newConnectorsOffsets(f *restFlags) *cobra.Command {
	var set string
	var reset bool
	cmd := &cobra.Command{
		Use: "offsets NAME", Short: "Show, set or reset the offsets of a connector; to change them, stop it first",
		Example: "  millrace connectors offsets orders\n  millrace connectors offsets orders --set offsets.json",
		Args:    exactArgs("NAME"), ValidArgsFunction: f.connectorNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf(cmd, "set", "reset"); err != nil {
				return err
			}
			path := restclient.Path("connectors", args[0], "offsets")
			switch {
			case reset:
				answer, err := f.client().Do(cmd.Context(), http.MethodDelete, path, nil)
				return f.changed(cmd, answer, err)
			case set != "":
				body, err := os.ReadFile(set)
				if err != nil {
					return &failure{code: exitUsage, err: err}
				}
				if !json.Valid(body) {
					return usagef("%s: no JSON; want {\"offsets\":[{\"partition\":{...},\"offset\":{...}}]}", set)
				}
				answer, err := f.client().Do(cmd.Context(), http.MethodPatch, path, json.RawMessage(body))
				return f.changed(cmd, answer, err)
			}
			return f.showOffsets(cmd, path)
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "JSON `file` of offsets to set, as this command shows them with -o json")
	cmd.Flags().BoolVar(&reset, "reset", false, "forget all offsets: the connector begins anew")
	return cmd
}

func (f *restFlags) changed(cmd *cobra.Command, answer json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	var said struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return err
	}
	return f.done(cmd, answer, said.Message)
}

func (f *restFlags) showOffsets(cmd *cobra.Command, path string) error {
	answer, err := f.client().Do(cmd.Context(), http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if f.out == asJSON {
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	var list struct {
		Offsets []struct{ Partition, Offset json.RawMessage } `json:"offsets"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, o := range list.Offsets {
		rows = append(rows, []string{oneLine(o.Partition), oneLine(o.Offset)})
	}
	return writeTable(cmd.OutOrStdout(), []string{"PARTITION", "OFFSET"}, rows)
}

func oneLine(raw json.RawMessage) string { return strings.ReplaceAll(string(raw), "\n", " ") }

// firstLine returns the line of a trace that says what happened.
func firstLine(trace string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(trace), "\n")
	return line
}
