package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Help is written here and not by cobra's templates: with text/template in it, the linker has to keep every method of every type,
// which makes the binary a third larger.

// help returns a command's help: examples come first.
func help(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", cmd.Short)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "Examples:\n%s\n\n", cmd.Example)
	}
	if cmd.Long != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimRight(cmd.Long, " \n"))
	}
	b.WriteString(usage(cmd))
	return b.String()
}

func usage(cmd *cobra.Command) string {
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " [command]"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if cmd.HasAvailableSubCommands() {
		rest := "Commands:"
		for _, g := range cmd.Groups() {
			listCommands(&b, cmd, g.Title, g.ID)
			rest = "Other:"
		}
		listCommands(&b, cmd, rest, "")
	}
	if cmd.HasAvailableLocalFlags() {
		listFlags(&b, "Flags:", cmd.LocalFlags().FlagUsages())
	}
	if cmd.HasAvailableInheritedFlags() {
		listFlags(&b, "Flags of all "+cmd.Parent().Name()+" commands:", cmd.InheritedFlags().FlagUsages())
	}
	return b.String()
}

// listCommands lists the subcommands of one group.
func listCommands(b *strings.Builder, cmd *cobra.Command, title, group string) {
	fmt.Fprintf(b, "\n%s\n", title)
	for _, c := range cmd.Commands() {
		if c.GroupID == group && (c.IsAvailableCommand() || c.Name() == "help") {
			fmt.Fprintf(b, "  %-*s %s\n", c.NamePadding(), c.Name(), c.Short)
		}
	}
}

func listFlags(b *strings.Builder, title, flags string) {
	fmt.Fprintf(b, "\n%s\n%s\n", title, strings.TrimRight(flags, " \n"))
}
