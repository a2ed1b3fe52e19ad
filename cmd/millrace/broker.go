package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"millrace/broker"
	"millrace/cmd/internal/settings"
)

// brokerPrefix is before the keys of the integrated log wherever worker keys are meant otherwise.
const brokerPrefix = "broker."

func newBroker() *cobra.Command {
	var sets []string
	var logs logFlags
	cmd := &cobra.Command{
		Use: "broker [server.properties]", Short: "Run the log alone: a broker of the Kafka protocol",
		Example: "  millrace broker\n  millrace broker server.properties --set log.dirs=/var/lib/millrace",
		Long: "The file has the keys of Apache Kafka's server.properties. Any key can also be given with --set key=value, or in the\n" +
			"environment as CONNECT_BROKER_LOG_DIRS for log.dirs. Without a file: 127.0.0.1:9092, data in ./data.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("unexpected argument %q: want one server.properties", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			began := time.Now()
			log, err := logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			var s settings.Settings
			if len(args) == 1 {
				if err := s.AddFile(args[0], brokerPrefix); err != nil {
					return &failure{code: exitUsage, err: err}
				}
			}
			s.AddEnvironment(os.Environ())
			if err := s.AddPairs(sets, brokerPrefix); err != nil {
				return &failure{code: exitUsage, err: err}
			}
			cfg, err := brokerConfig(&s, broker.DefaultConfig(), log)
			if err != nil {
				return &failure{code: exitUsage, err: err}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runBroker(ctx, cfg, log, began)
		},
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, "`key=value` of the configuration; may be repeated")
	logs.register(cmd)
	return cmd
}

// brokerConfig reads the keys behind brokerPrefix over base; errors name file and line.
func brokerConfig(s *settings.Settings, base broker.Config, log *slog.Logger) (broker.Config, error) {
	props := s.Under(brokerPrefix)
	cfg, err := base.Parse(props)
	if err != nil {
		return cfg, s.Explain(err, brokerPrefix)
	}
	if names := broker.Obsolete(props); len(names) > 0 {
		log.Info("these keys are not needed any more and ignored", "keys", strings.Join(names, ","))
	}
	cfg.Logger = log
	return cfg, nil
}

func runBroker(ctx context.Context, cfg broker.Config, log *slog.Logger, began time.Time) error {
	b, err := broker.New(cfg)
	if err != nil {
		return &failure{code: exitUsage, err: err}
	}
	go func() {
		select {
		case <-b.Ready():
			log.Info("millrace is up", "kafka", strings.Join(b.Advertised(), ","), "data", cfg.DataDir, "version", version, "duration", time.Since(began).Round(time.Millisecond))
		case <-ctx.Done():
		}
	}()
	if err := b.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return environment(err)
	}
	return nil
}

// environment is an error of the surroundings: a port in use, a directory that is locked or cannot be written.
func environment(err error) *failure {
	f := &failure{code: exitEnvironment, err: err}
	if errors.Is(err, syscall.EADDRINUSE) {
		f.fix = "another process listens there: stop it, or choose another port with --set"
	}
	return f
}
