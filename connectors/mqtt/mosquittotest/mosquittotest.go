package mosquittotest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Broker is a Mosquitto on a loopback port whose sessions survive a restart.
type Broker struct {
	Addr string // host:port

	conf string
	cmd  *exec.Cmd
}

// Installed reports whether Mosquitto is there.
func Installed() bool {
	_, err := exec.LookPath("mosquitto")
	return err == nil
}

// New returns a broker of the test's own, which is stopped at its end. Without Mosquitto the test is skipped, or fails
// where the environment has CI.
func New(t testing.TB, lines ...string) *Broker {
	t.Helper()
	if !Installed() {
		if os.Getenv("CI") != "" {
			t.Fatal("mosquitto is not installed, and CI needs it: apt-get install mosquitto")
		}
		t.Skip("SKIPPED: mosquitto is not installed: apt-get install mosquitto")
	}
	b, err := Start(t.Context(), t.TempDir(), lines...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// Start runs a broker with its files in dir, on a free port, and waits until it listens. lines are further lines of its
// configuration; without an allow_anonymous among them everybody may connect. Its queues have no limit.
func Start(ctx context.Context, dir string, lines ...string) (*Broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Broker{Addr: l.Addr().String(), conf: filepath.Join(dir, "mosquitto.conf")}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	all := append([]string{
		fmt.Sprintf("listener %d 127.0.0.1", port), "user root", "persistence true", "persistence_location " + dir + "/", "max_queued_messages 0",
	}, lines...)
	conf := strings.Join(all, "\n") + "\n"
	if !strings.Contains(conf, "allow_anonymous") {
		conf += "allow_anonymous true\n"
	}
	if err := os.WriteFile(b.conf, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return b, b.Restart(ctx)
}

// URL returns the address to connect to.
func (b *Broker) URL() string { return "tcp://" + b.Addr }

// Restart runs a stopped broker again, on the same port and files.
func (b *Broker) Restart(ctx context.Context) error {
	b.cmd = exec.Command("mosquitto", "-c", b.conf)
	if err := b.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", b.Addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("mosquitto does not listen: %w", err)
		}
	}
}

// Stop ends the broker as an operator would; it saves its sessions.
func (b *Broker) Stop() error {
	if err := b.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = b.cmd.Wait() // the signal is how it ended
	return nil
}
