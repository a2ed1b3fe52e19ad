package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/runtime/membership"
)

func newCluster() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cluster", Short: "Show the nodes and workers of a cluster",
		Example: "  millrace cluster status\n  millrace cluster nodes -o json",
	}
	f := &kafkaFlags{}
	f.register(cmd)
	return family(cmd, newClusterStatus(f), newClusterNodes(f))
}

type workerView struct {
	Group      string   `json:"group"`
	State      string   `json:"state"`
	Worker     string   `json:"worker"`
	Leader     bool     `json:"leader"`
	Connectors []string `json:"connectors"`
	Tasks      []string `json:"tasks"`
}

func newClusterStatus(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the groups of workers on a log: who is in them, who leads, who runs how much",
		Example: "  millrace cluster status\n  millrace cluster status -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			client, err := f.connect(ctx)
			if err != nil {
				return err
			}
			defer client.Close()
			groups, err := membership.Describe(ctx, client)
			if err != nil {
				return err
			}
			list := []workerView{}
			var rows [][]string
			for _, g := range groups {
				for _, w := range g.Workers {
					v := workerView{g.Group, g.State, w.URL, w.Leader, append([]string{}, w.Work.Connectors...), []string{}}
					for _, t := range w.Work.Tasks {
						v.Tasks = append(v.Tasks, fmt.Sprintf("%s-%d", t.Connector, t.ID))
					}
					list = append(list, v)
					leads := ""
					if w.Leader {
						leads = "leader"
					}
					rows = append(rows, []string{g.Group, g.State, w.URL, leads, fmt.Sprint(len(v.Connectors)), fmt.Sprint(len(v.Tasks))})
				}
			}
			if f.out == asJSON {
				return writeJSON(cmd.OutOrStdout(), list)
			}
			return writeTable(cmd.OutOrStdout(), []string{"GROUP", "STATE", "WORKER", "ROLE", "CONNECTORS", "TASKS"}, rows)
		},
	}
}

func newClusterNodes(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "nodes", Short: "Show the brokers of the log",
		Example: "  millrace cluster nodes\n  millrace cluster nodes -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				meta, err := c.BrokerMetadata(ctx)
				if err != nil {
					return err
				}
				type node struct {
					ID         int32   `json:"id"`
					Address    string  `json:"address"`
					Rack       *string `json:"rack"`
					Controller bool    `json:"controller"`
				}
				list := []node{}
				var rows [][]string
				for _, b := range meta.Brokers {
					n := node{b.NodeID, fmt.Sprintf("%s:%d", b.Host, b.Port), b.Rack, b.NodeID == meta.Controller}
					list = append(list, n)
					rack, role := "", ""
					if n.Rack != nil {
						rack = *n.Rack
					}
					if n.Controller {
						role = "controller"
					}
					rows = append(rows, []string{fmt.Sprint(n.ID), n.Address, rack, role})
				}
				if f.out == asJSON {
					return writeJSON(cmd.OutOrStdout(), list)
				}
				return writeTable(cmd.OutOrStdout(), []string{"NODE", "ADDRESS", "RACK", "ROLE"}, rows)
			})
		},
	}
}
