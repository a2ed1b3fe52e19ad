package activemqtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const jar = "/usr/share/activemq/bin/activemq.jar"

// User and Password are accepted by every Broker, as is nobody at all.
const (
	User     = "millrace"
	Password = `colon:back\slash`
)

// MaxData is the largest body that a Broker takes, in bytes.
const MaxData = 8 << 20

// A Broker is a running ActiveMQ with one STOMP and one OpenWire connector on loopback ports.
type Broker struct {
	Stomp    string // host:port
	OpenWire string // host:port
	TLS      string // host:port of STOMP over TLS, if started WithTLS
	dir      string
	fullJIT  bool
	tls      bool
	cmd      *exec.Cmd
	exited   chan struct{}
}

// An Option changes how a Broker is started.
type Option func(*Broker)

// FullJIT lets the JVM optimise as it does in production, for measurements. Without it the broker starts sooner and stays slower.
func FullJIT() Option { return func(b *Broker) { b.fullJIT = true } }

// Installed reports whether ActiveMQ and Java are there.
func Installed() bool {
	_, err := os.Stat(jar)
	_, java := exec.LookPath("java")
	return err == nil && java == nil
}

// Start runs a broker with its files under dir, on free ports, and waits until it answers. If dir was used before, the messages
// in its queues are there again.
func Start(ctx context.Context, dir string, options ...Option) (*Broker, error) {
	if !Installed() {
		return nil, errors.New("ActiveMQ is not installed; apt-get install activemq default-jre-headless")
	}
	b := &Broker{dir: dir}
	for _, option := range options {
		option(b)
	}
	if err := b.choosePorts(); err != nil {
		return nil, err
	}
	return b, b.Restart(ctx)
}

// choosePorts chooses ports that are free and differ.
func (b *Broker) choosePorts() error {
	for _, addr := range []*string{&b.Stomp, &b.OpenWire, &b.TLS} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close() // when all are taken
		*addr = l.Addr().String()
	}
	return nil
}

// Restart runs a stopped broker again, on the same ports and files.
func (b *Broker) Restart(ctx context.Context) error {
	config := filepath.Join(b.dir, "activemq.xml")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	sslContext, secure, err := b.tlsXML(ctx)
	if err != nil {
		return err
	}
	replace := strings.NewReplacer("$sslContext", sslContext, "$secure", secure, "$dir", b.dir, "$stomp", b.Stomp, "$openwire", b.OpenWire, "$user", User, "$password", Password,
		"$max", fmt.Sprint(MaxData))
	if err := os.WriteFile(config, []byte(replace.Replace(configXML)), 0o644); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(b.dir, "out.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto"}
	if !b.fullJIT {
		args = append(args, "-XX:TieredStopAtLevel=1")
	}
	b.cmd = exec.Command("java", append(args,
		"-Dactivemq.home=/usr/share/activemq", "-Dactivemq.base="+b.dir, "-Dactivemq.conf="+b.dir, "-Dactivemq.data="+b.dir,
		"-Djava.io.tmpdir="+b.dir, "-Dorg.apache.activemq.UseDedicatedTaskRunner=false",
		"-jar", jar, "start", "xbean:file:"+config)...)
	b.cmd.Stdout, b.cmd.Stderr = log, log
	// The broker does not outlive a test that is killed.
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	b.exited = exited
	cmd := b.cmd
	go func() {
		defer close(exited)
		// How it ended shows in the log.
		_ = cmd.Wait()
	}()
	return b.await(ctx)
}

func (b *Broker) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if b.answers() {
			return nil
		}
		select {
		case <-ticker.C:
		case <-b.exited:
			return fmt.Errorf("ActiveMQ ended: %s", b.Log())
		case <-ctx.Done():
			b.Kill()
			return fmt.Errorf("ActiveMQ does not answer at %s: %s", b.Stomp, b.Log())
		}
	}
}

// answers reports whether the broker accepts a STOMP client: its ports are open a little earlier.
func (b *Broker) answers() bool {
	conn, err := net.DialTimeout("tcp", b.Stomp, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return false
	}
	if _, err := conn.Write([]byte("CONNECT\naccept-version:1.2\nhost:test\n\n\x00")); err != nil {
		return false
	}
	answer := make([]byte, len("CONNECTED"))
	_, err = io.ReadFull(conn, answer)
	return err == nil && string(answer) == "CONNECTED"
}

// Log returns the end of what the broker wrote.
func (b *Broker) Log() string {
	text, err := os.ReadFile(filepath.Join(b.dir, "out.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// Stop ends the broker in order.
func (b *Broker) Stop() { b.signal(syscall.SIGTERM) }

// Kill ends the broker as kill -9 does.
func (b *Broker) Kill() { b.signal(syscall.SIGKILL) }

func (b *Broker) signal(s os.Signal) {
	// It fails only for a process that has ended.
	_ = b.cmd.Process.Signal(s)
	<-b.exited
}

var shared struct {
	sync.Mutex
	broker *Broker
	dir    string
}

// Shared returns the broker that the tests of a package share, started by the first of them with its options; TestMain calls StopShared at the end. Without ActiveMQ the test
// is skipped, or fails where the environment has CI.
func Shared(t testing.TB, options ...Option) *Broker {
	t.Helper()
	need(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil {
		dir, err := os.MkdirTemp("", "activemq")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		b, err := Start(context.Background(), dir, options...)
		if err != nil {
			t.Fatal(err)
		}
		shared.broker = b
	}
	return shared.broker
}

// New returns a broker of the test's own, which is stopped at its end.
func New(t testing.TB, options ...Option) *Broker {
	t.Helper()
	need(t)
	b, err := Start(t.Context(), t.TempDir(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	return b
}

func need(t testing.TB) {
	t.Helper()
	if Installed() {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("ActiveMQ is not installed, and CI needs it: apt-get install activemq default-jre-headless")
	}
	t.Skip("SKIPPED: ActiveMQ is not installed; apt-get install activemq default-jre-headless")
}

// StopShared ends the shared broker and removes its files.
func StopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil {
		return nil
	}
	shared.broker.Kill()
	shared.broker = nil
	return os.RemoveAll(shared.dir)
}

const configXML = `<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
    http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="test" dataDirectory="$dir">
    <persistenceAdapter><kahaDB directory="$dir/kahadb"/></persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin anonymousAccessAllowed="true">
        <users><authenticationUser username="$user" password="$password" groups="users"/></users>
      </simpleAuthenticationPlugin>
    </plugins>
    $sslContext
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://$stomp?wireFormat.maxDataLength=$max&amp;wireFormat.maxFrameSize=$max"/>
      <transportConnector name="openwire" uri="tcp://$openwire"/>
      $secure
    </transportConnectors>
  </broker>
</beans>
`
