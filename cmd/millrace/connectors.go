package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"millrace/cmd/internal/restclient"
)

func newConnectors() *cobra.Command {
	f := &restFlags{}
	cmd := &cobra.Command{
		Use: "connectors", Short: "Manage connectors over the REST API of a worker",
		Example: "  millrace connectors create -f connector.json\n  millrace connectors status",
		Aliases: []string{"connector", "c"},
	}
	f.register(cmd)
	return family(cmd, newConnectorsList(f), newConnectorsCreate(f), newConnectorsApply(f), newConnectorsGet(f), newConnectorsStatus(f),
		newConnectorsPause(f), newConnectorsResume(f), newConnectorsStop(f), newConnectorsRestart(f), newConnectorsDelete(f),
		newConnectorsValidate(f), newConnectorsOffsets(f))
}

// status is what the commands show of GET /connectors/{name}/status.
type status struct {
	Name      string      `json:"name"`
	Type      string      `json:"type"`
	Connector stateOf     `json:"connector"`
	Tasks     []taskState `json:"tasks"`
}

type stateOf struct {
	State  string `json:"state"`
	Worker string `json:"worker_id"`
	Trace  string `json:"trace"`
}

type taskState struct {
	ID int `json:"id"`
	stateOf
}

// listed is a line of connectors list.
type listed struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	State   string `json:"state"`
	Tasks   int    `json:"tasks"`
	Running int    `json:"running_tasks"`
	Worker  string `json:"worker_id"`
}

func newConnectorsList(f *restFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List connectors with their state",
		Example: "  millrace connectors list\n  millrace connectors list -o json | jq -r '.[].name'",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all map[string]struct {
				Status status `json:"status"`
			}
			if err := f.client().Get(cmd.Context(), "/connectors?expand=status", &all); err != nil {
				return err
			}
			list := make([]listed, 0, len(all))
			for _, name := range slices.Sorted(mapsKeys(all)) {
				s := all[name].Status
				l := listed{Name: name, Type: s.Type, State: s.Connector.State, Tasks: len(s.Tasks), Worker: s.Connector.Worker}
				for _, t := range s.Tasks {
					if t.State == "RUNNING" {
						l.Running++
					}
				}
				list = append(list, l)
			}
			if f.out == asJSON {
				return writeJSON(cmd.OutOrStdout(), list)
			}
			rows := make([][]string, 0, len(list))
			for _, l := range list {
				rows = append(rows, []string{l.Name, l.Type, l.State, strconv.Itoa(l.Running) + "/" + strconv.Itoa(l.Tasks), l.Worker})
			}
			return writeTable(cmd.OutOrStdout(), []string{"CONNECTOR", "TYPE", "STATE", "TASKS", "WORKER"}, rows)
		},
	}
}

func newConnectorsGet(f *restFlags) *cobra.Command {
	return &cobra.Command{
		Use: "get NAME", Short: "Show the configuration of a connector",
		Example: "  millrace connectors get orders\n  millrace connectors get orders -o json > orders.json",
		Args:    exactArgs("NAME"), ValidArgsFunction: f.connectorNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := f.client().Do(cmd.Context(), http.MethodGet, restclient.Path("connectors", args[0]), nil)
			if err != nil {
				return err
			}
			if f.out == asJSON {
				return writeJSON(cmd.OutOrStdout(), answer)
			}
			var info struct {
				Config map[string]*string `json:"config"`
			}
			if err := json.Unmarshal(answer, &info); err != nil {
				return err
			}
			var rows [][]string
			for _, k := range slices.Sorted(mapsKeys(info.Config)) {
				value := "null"
				if v := info.Config[k]; v != nil {
					value = *v
				}
				rows = append(rows, []string{k, value})
			}
			return writeTable(cmd.OutOrStdout(), []string{"KEY", "VALUE"}, rows)
		},
	}
}

func newConnectorsStatus(f *restFlags) *cobra.Command {
	return &cobra.Command{
		Use: "status [NAME...]", Short: "Show the state of connectors and their tasks",
		Example: "  millrace connectors status\n  millrace connectors status orders -o json",
		Args:    cobra.ArbitraryArgs, ValidArgsFunction: f.connectorNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			answers, err := f.statuses(cmd.Context(), names)
			if err != nil {
				return err
			}
			if f.out == asJSON {
				if len(names) == 1 {
					return writeJSON(cmd.OutOrStdout(), answers[0])
				}
				return writeJSON(cmd.OutOrStdout(), answers)
			}
			var rows [][]string
			for _, answer := range answers {
				var s status
				if err := json.Unmarshal(answer, &s); err != nil {
					return err
				}
				rows = append(rows, []string{s.Name, "-", s.Connector.State, s.Connector.Worker, firstLine(s.Connector.Trace)})
				for _, t := range s.Tasks {
					rows = append(rows, []string{s.Name, strconv.Itoa(t.ID), t.State, t.Worker, firstLine(t.Trace)})
				}
			}
			return writeTable(cmd.OutOrStdout(), []string{"CONNECTOR", "TASK", "STATE", "WORKER", "CAUSE"}, rows)
		},
	}
}

func (f *restFlags) statuses(ctx context.Context, names []string) ([]json.RawMessage, error) {
	client := f.client()
	if len(names) == 0 {
		if err := client.Get(ctx, "/connectors", &names); err != nil {
			return nil, err
		}
		slices.Sort(names)
	}
	answers := make([]json.RawMessage, 0, len(names))
	for _, name := range names {
		answer, err := client.Do(ctx, http.MethodGet, restclient.Path("connectors", name, "status"), nil)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}
