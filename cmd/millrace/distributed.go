package main

import (
	"github.com/spf13/cobra"

	"millrace/runtime"
)

func newDistributed() *cobra.Command {
	f := &workerFlags{mode: runtime.Distributed}
	cmd := &cobra.Command{
		Use:   "distributed worker.properties",
		Short: "Run one of several workers that share connectors and tasks",
		Example: "  millrace distributed worker.properties\n" +
			"  millrace distributed worker.properties --set rest.advertised.host.name=worker1",
		Long: "The file is that of a distributed worker of Kafka Connect. Workers with the same group.id, on the same log, are one cluster: connectors\n" +
			"and tasks are spread over them, each answers every REST call, and when one ends, the others run its work. Workers of Kafka Connect\n" +
			"may be among them. Connectors are made over the REST API, of any worker.\n\n" +
			"bootstrap.servers names the log. If it is absent or empty, or if any broker. key is set, the integrated log starts in this process.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("want one worker.properties, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.start(cmd, args) },
	}
	f.register(cmd)
	return cmd
}
