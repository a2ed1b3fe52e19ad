package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "millrace",
		Short: "Kafka and Kafka Connect in one small binary",
		Long:  "Millrace is Kafka and Kafka Connect in one small binary: a durable log that any Kafka client uses,\nand connectors beside it that are managed over Kafka Connect's REST API.\n\n" + exitCodesHelp,
		Example: `  millrace standalone
  millrace consume orders --from-beginning`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		_, _ = fmt.Fprint(cmd.OutOrStdout(), help(cmd)) // nothing is lost with help that nobody reads
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprint(cmd.OutOrStderr(), usage(cmd))
		return err
	})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &failure{code: exitUsage, err: err, fix: "see: " + cmd.CommandPath() + " --help"}
	})
	root.AddGroup(&cobra.Group{ID: "server", Title: "Run:"}, &cobra.Group{ID: "client", Title: "Use:"})
	for _, c := range []*cobra.Command{newStandalone(), newDistributed(), newBroker()} {
		c.GroupID = "server"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newTopics(), newProduce(), newConsume(), newGroups(), newConnectors(), newCluster()} {
		c.GroupID = "client"
		root.AddCommand(c)
	}
	root.AddCommand(newVersion())
	family(root)
	asked := root.Flags().BoolP("version", "v", false, "show the version")
	run := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *asked {
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionLine())
			return err
		}
		return run(cmd, args)
	}
	return root
}

// family makes a command that only has subcommands: alone it shows its help, with an unknown word it says so.
func family(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		fix := "see: " + cmd.CommandPath() + " --help"
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			fix = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return &failure{code: exitUsage, err: usagef("%s has no command %q", cmd.CommandPath(), args[0]), fix: fix}
	}
	return cmd
}
