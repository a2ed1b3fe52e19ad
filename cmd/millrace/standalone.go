package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"millrace/cmd/internal/settings"
	"millrace/runtime"
)

// workerFlags are those of the commands that run a worker.
type workerFlags struct {
	mode runtime.Mode
	sets []string
	logs logFlags
	// anyConverter says that nobody has chosen converters.
	anyConverter bool
}

func newStandalone() *cobra.Command {
	f := &workerFlags{mode: runtime.Standalone}
	cmd := &cobra.Command{
		Use:   "standalone [worker.properties] [connector.properties|connector.json ...]",
		Short: "Run the log, the connectors and the REST API in one process",
		Example: "  millrace standalone\n" +
			"  millrace standalone worker.properties connector.json --set broker.log.dirs=/var/lib/millrace",
		Long: "Without arguments: broker at 127.0.0.1:9092, REST API at 127.0.0.1:8083, data in ./data. The worker file has the keys\n" +
			"of Kafka Connect; keys of the integrated log are Kafka's server keys behind broker. (broker.log.dirs). Any key can also\n" +
			"be given with --set key=value, or in the environment as CONNECT_OFFSET_FLUSH_INTERVAL_MS for offset.flush.interval.ms.\n\n" +
			"The integrated log starts if bootstrap.servers is absent or empty, or if any broker. key is set; otherwise connectors\n" +
			"use the Kafka cluster that bootstrap.servers names.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.start(cmd, args)
		},
	}
	f.register(cmd)
	return cmd
}

func (f *workerFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "`key=value` of the configuration; may be repeated")
	f.logs.register(cmd)
}

// start runs a worker until the process is told to end.
func (f *workerFlags) start(cmd *cobra.Command, args []string) error {
	began := time.Now()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, files, err := f.read(args)
	if err != nil {
		return &failure{code: exitUsage, err: err}
	}
	return f.run(ctx, stop, cmd.ErrOrStderr(), s, files, began)
}

const jsonConverter = "org.apache.kafka.connect.json.JsonConverter"

// read puts the configuration together and reads the connector files.
func (f *workerFlags) read(args []string) (*settings.Settings, []settings.Connector, error) {
	s := &settings.Settings{}
	var files []settings.Connector
	if len(args) > 0 {
		if err := s.AddFile(args[0], ""); err != nil {
			return nil, nil, err
		}
		for _, path := range args[1:] {
			c, err := settings.ReadConnector(path)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, c)
		}
	}
	s.AddEnvironment(os.Environ())
	if err := s.AddPairs(f.sets, ""); err != nil {
		return nil, nil, err
	}
	s.AddJavaOptions(os.Environ())
	if len(args) == 0 {
		values := s.Values()
		f.anyConverter = values["key.converter"] == "" && values["value.converter"] == ""
		s.AddDefaults(map[string]string{"key.converter": jsonConverter, "value.converter": jsonConverter})
	}
	return s, files, nil
}
