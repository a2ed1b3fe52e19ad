package crashtest_test

import (
	"flag"
	"testing"
	"time"

	"millrace/cmd/internal/crashtest"
	"millrace/cmd/internal/proc"
	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/mqtt/mosquittotest"
)

var (
	records    = flag.Int("crash.records", 25000, "records of each flow")
	kills      = flag.Int("crash.kills", 4, "kills of each flow")
	pointKills = flag.Int("crash.points", 24, "kills at the points of all flows together")
	seed       = flag.Uint64("crash.seed", uint64(time.Now().UnixNano()), "seed of the moments of the kills")
)

// TestCrash is short by default; make crash-test runs it at full length.
func TestCrash(t *testing.T) {
	bin, err := proc.Build(t.Context(), "millrace/cmd/millrace", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("file", func(t *testing.T) {
		flow, err := crashtest.FileFlow(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		nothingLost(t, crash(t, worker(t, bin), flow))
	})
	t.Run("activemq", func(t *testing.T) {
		flow, err := crashtest.ActiveMQFlow(activemqtest.New(t).Stomp)
		if err != nil {
			t.Fatal(err)
		}
		nothingLost(t, crash(t, worker(t, bin), flow))
	})
	t.Run("mqtt", func(t *testing.T) {
		w := worker(t, bin)
		flow, err := crashtest.MQTTFlow(mosquittotest.New(t).URL(), w)
		if err != nil {
			t.Fatal(err)
		}
		nothingLost(t, crash(t, w, flow))
	})
}

// TestCrashNotices runs a binary that acknowledges before the log has the records, and wants the losses to be found.
func TestCrashNotices(t *testing.T) {
	bin, err := proc.Build(t.Context(), "millrace/cmd/millrace", t.TempDir(), "-tags", "ackearly")
	if err != nil {
		t.Fatal(err)
	}
	const attempts = 5 // a few kills may by chance come when the log has all that was acknowledged
	for range attempts {
		flow, err := crashtest.ActiveMQFlow(activemqtest.New(t).Stomp)
		if err != nil {
			t.Fatal(err)
		}
		if crash(t, worker(t, bin), flow).Lost > 0 {
			return
		}
	}
	t.Error("a worker that acknowledges too early loses nothing: the test would not notice losses")
}

// TestKillPoints kills a worker with connectors of all kinds at each of its points. It is short by default; make kill-test runs it at
// full length.
func TestKillPoints(t *testing.T) {
	bin, err := proc.Build(t.Context(), "millrace/cmd/millrace", t.TempDir(), "-tags", "killpoints")
	if err != nil {
		t.Fatal(err)
	}
	w := worker(t, bin)
	w.Extra = []string{"--set", "offset.flush.interval.ms=200", "--set", "broker.group.initial.rebalance.delay.ms=0"}
	file, err := crashtest.FileFlow(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	queue, err := crashtest.ActiveMQFlow(activemqtest.New(t).Stomp)
	if err != nil {
		t.Fatal(err)
	}
	mqtt, err := crashtest.MQTTFlow(mosquittotest.New(t).URL(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, seed %d", *pointKills, *seed)
	result, err := crashtest.RunPoints(t.Context(), w, []crashtest.Flow{file, queue, mqtt}, crashtest.PointOptions{Kills: *pointKills, Seed: *seed, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", result)
	if result.Lost() > 0 {
		t.Error("records are lost")
	}
}

func worker(t *testing.T, bin string) *proc.Worker {
	t.Helper()
	w, err := proc.NewWorker(bin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Kill(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func crash(t *testing.T, w *proc.Worker, flow crashtest.Flow) crashtest.Result {
	t.Helper()
	t.Logf("%s: %d records, %d kills, seed %d", flow.Name, *records, *kills, *seed)
	result, err := crashtest.Run(t.Context(), w, flow, crashtest.Options{
		Records: *records, Kills: *kills, Since: 1000, Outstanding: 1000, Seed: *seed, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", flow.Name, result)
	return result
}

func nothingLost(t *testing.T, result crashtest.Result) {
	t.Helper()
	if result.Lost > 0 {
		t.Errorf("%d records lost, the first %v", result.Lost, result.FirstLost)
	}
}
