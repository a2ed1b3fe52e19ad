package main

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and revision are set by the linker (make build).
var (
	version  = "dev"
	revision = ""
)

// commit is the revision that the binary was built from, if the build knows it.
func commit() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}

func versionLine() string {
	return fmt.Sprintf("millrace %s (commit %s, %s)\n", version, commit(), goruntime.Version())
}

func newVersion() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version",
		Example: "  millrace version\n  millrace version -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == asJSON {
				return writeJSON(cmd.OutOrStdout(), map[string]string{"version": version, "commit": commit(), "go": goruntime.Version()})
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
	out.register(cmd)
	return cmd
}
