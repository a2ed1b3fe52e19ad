package main

import (
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
		Version:       version,
	}
	root.SetVersionTemplate(versionLine())
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &failure{code: exitUsage, err: err, fix: "see: " + cmd.CommandPath() + " --help"}
	})
	root.AddGroup(&cobra.Group{ID: "server", Title: "Run:"}, &cobra.Group{ID: "client", Title: "Use:"})
	for _, c := range []*cobra.Command{newStandalone(), newBroker()} {
		c.GroupID = "server"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newTopics(), newProduce(), newConsume(), newGroups(), newConnectors()} {
		c.GroupID = "client"
		root.AddCommand(c)
	}
	root.AddCommand(newVersion())
	return family(root)
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

const helpTemplate = `{{.Short}}

{{if .HasExample}}Examples:
{{.Example}}

{{end}}{{if .Long}}{{.Long | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`

const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} [command]{{else}}{{.UseLine}}{{end}}
{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}
{{.Title}}{{range $cmds}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}
{{if .Groups}}Other:{{else}}Commands:{{end}}{{range $cmds}}{{if and (eq .GroupID "") (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Flags of all {{.Parent.Name}} commands:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}`
