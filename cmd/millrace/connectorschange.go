package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/internal/restclient"
	"millrace/cmd/internal/settings"
)

// bodyFlags describe a connector: a file, or key=value arguments.
type bodyFlags struct{ file string }

func (b *bodyFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&b.file, "file", "f", "", "connector `file`: .properties, or JSON as for POST /connectors; - reads JSON from standard input")
}

// read returns the connector that the file or args (a name, then key=value) describe; args also overrule the file.
func (b *bodyFlags) read(cmd *cobra.Command, args []string) (settings.Connector, error) {
	c := settings.Connector{Config: map[string]*string{}}
	path := b.file
	if path == "" && len(args) > 0 && isConnectorFile(args[0]) { // the -f was left out
		path, args = args[0], args[1:]
	}
	if path != "" {
		if path == "-" {
			copied, err := spool(cmd.InOrStdin())
			if err != nil {
				return c, err
			}
			defer func() { _ = os.Remove(copied) }() // a leftover in the temporary folder does no harm
			path = copied
		}
		var err error
		if c, err = settings.ReadConnector(path); err != nil {
			return c, &failure{code: exitUsage, err: err}
		}
	}
	if len(args) > 0 && !strings.Contains(args[0], "=") {
		c.Name, args = args[0], args[1:]
		c.Config["name"] = &c.Name
	}
	more, err := pairs("argument", args)
	if err != nil {
		return c, err
	}
	for k, v := range more {
		c.Config[k] = v
	}
	if c.Name == "" {
		return c, usagef("no connector: give -f FILE, or NAME key=value...")
	}
	return c, nil
}

// isConnectorFile reports whether an argument is the path of a connector file, not the name of a connector.
func isConnectorFile(arg string) bool {
	ext := filepath.Ext(arg)
	if ext != ".json" && ext != ".properties" {
		return false
	}
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}

func spool(in io.Reader) (string, error) {
	f, err := os.CreateTemp("", "connector-*.json")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, in)
	return f.Name(), errors.Join(err, f.Close())
}

func newConnectorsCreate(f *restFlags) *cobra.Command {
	b := &bodyFlags{}
	cmd := &cobra.Command{
		Use: "create [NAME] [key=value...]", Short: "Create a connector",
		Example: "  millrace connectors create -f connector.json\n  millrace connectors create lines connector.class=FileStreamSource file=/tmp/in.txt topic=lines",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := b.read(cmd, args)
			if err != nil {
				return err
			}
			body := map[string]any{"name": c.Name, "config": c.Config}
			if c.InitialState != "" {
				body["initial_state"] = c.InitialState
			}
			answer, err := f.client().Do(cmd.Context(), http.MethodPost, "/connectors", body)
			if err != nil {
				return err
			}
			return f.done(cmd, answer, "created connector "+c.Name+"; see: millrace connectors status "+c.Name)
		},
	}
	b.register(cmd)
	return cmd
}

func newConnectorsApply(f *restFlags) *cobra.Command {
	b := &bodyFlags{}
	cmd := &cobra.Command{
		Use: "apply [NAME] [key=value...]", Short: "Create a connector or replace its configuration",
		Example: "  millrace connectors apply -f connector.properties\n  millrace connectors apply -f connector.json tasks.max=4",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := b.read(cmd, args)
			if err != nil {
				return err
			}
			answer, err := f.client().Do(cmd.Context(), http.MethodPut, restclient.Path("connectors", c.Name, "config"), c.Config)
			if err != nil {
				return err
			}
			return f.done(cmd, answer, "applied connector "+c.Name)
		},
	}
	b.register(cmd)
	return cmd
}

// done shows an answer with -o json, and otherwise says on standard error what happened.
func (f *restFlags) done(cmd *cobra.Command, answer json.RawMessage, said string) error {
	if f.out == asJSON && len(answer) > 0 {
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	_, err := fmt.Fprintln(cmd.ErrOrStderr(), said)
	return err
}

// each runs one request for each of the connectors named.
func (f *restFlags) each(use, short, example, said string, request func(ctx context.Context, c *restclient.Client, name string) (json.RawMessage, error)) *cobra.Command {
	return &cobra.Command{
		Use: use + " NAME...", Short: short, Example: example,
		Args: minArgs("NAME"), ValidArgsFunction: f.connectorNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			var errs []error
			for _, name := range names {
				answer, err := request(cmd.Context(), f.client(), name)
				if err == nil {
					err = f.done(cmd, answer, said+" connector "+name)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
}

func (f *restFlags) put(use, short, said string) *cobra.Command {
	example := fmt.Sprintf("  millrace connectors %s orders\n  millrace connectors %s orders invoices", use, use)
	return f.each(use, short, example, said, func(ctx context.Context, c *restclient.Client, name string) (json.RawMessage, error) {
		return c.Do(ctx, http.MethodPut, restclient.Path("connectors", name, use), nil)
	})
}

func newConnectorsPause(f *restFlags) *cobra.Command {
	return f.put("pause", "Pause connectors: their tasks stay, but do nothing", "paused")
}

func newConnectorsResume(f *restFlags) *cobra.Command {
	return f.put("resume", "Resume connectors that were paused or stopped", "resumed")
}

func newConnectorsStop(f *restFlags) *cobra.Command {
	return f.put("stop", "Stop connectors: their tasks end, offsets may be changed", "stopped")
}

func newConnectorsDelete(f *restFlags) *cobra.Command {
	return f.each("delete", "Delete connectors", "  millrace connectors delete orders\n  millrace connectors delete orders invoices", "deleted",
		func(ctx context.Context, c *restclient.Client, name string) (json.RawMessage, error) {
			return c.Do(ctx, http.MethodDelete, restclient.Path("connectors", name), nil)
		})
}

func newConnectorsRestart(f *restFlags) *cobra.Command {
	var tasks, failed bool
	cmd := f.each("restart", "Restart connectors", "  millrace connectors restart orders\n  millrace connectors restart orders --tasks --only-failed", "restarted",
		func(ctx context.Context, c *restclient.Client, name string) (json.RawMessage, error) {
			path := fmt.Sprintf("%s?includeTasks=%t&onlyFailed=%t", restclient.Path("connectors", name, "restart"), tasks, failed)
			return c.Do(ctx, http.MethodPost, path, nil)
		})
	cmd.Flags().BoolVar(&tasks, "tasks", false, "restart the tasks too")
	cmd.Flags().BoolVar(&failed, "only-failed", false, "restart only what has failed")
	return cmd
}
