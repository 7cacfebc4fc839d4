// Package postgres runs a PostgreSQL server of its own for tests and demonstrations: a new database
// in a temporary folder, reached by a socket there.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Required is the environment variable that makes a missing PostgreSQL a failure instead of a skip.
const Required = "REQUIRE_POSTGRES"

// patience is how long a server may take to start on a busy machine.
const patience = time.Minute

// Server is a PostgreSQL server. It can be killed and started again with its data.
type Server struct {
	folder, program string
	as              *syscall.Credential
	process         *exec.Cmd
	ended           chan struct{}
}

// Open starts a server for a test. Without PostgreSQL on the machine the test is skipped.
func Open(t testing.TB) *Server {
	t.Helper()
	folder, err := os.MkdirTemp("", "pg") //nolint:usetesting // short: the path of a socket may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	server, err := Create(folder)
	switch {
	case errors.Is(err, ErrNotInstalled) && os.Getenv(Required) == "":
		_ = os.RemoveAll(folder)
		t.Skipf("%v; %s=1 makes this a failure", err, Required)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Kill(); _ = os.RemoveAll(folder) })
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	return server
}

// ErrNotInstalled means that the machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

// Create makes a database in a folder. PostgreSQL does not run as root: the user postgres does it
// then.
func Create(folder string) (*Server, error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, program: filepath.Join(programs, "postgres")}
	if s.as, err = whoRuns(); err != nil {
		return nil, err
	}
	if s.as != nil {
		if err := errors.Join(os.Chown(folder, int(s.as.Uid), int(s.as.Gid)), os.Chmod(folder, 0o711)); err != nil {
			return nil, err
		}
	}
	create := s.command(filepath.Join(programs, "initdb"), "--pgdata="+s.data(), "--username=operator", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if said, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, said)
	}
	return s, nil
}

// find returns the newest installed version's folder of programs. Debian keeps them out of PATH.
func find() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(ErrNotInstalled, err)
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func version(path string) int {
	number, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 for what is no number
	return number
}

func whoRuns() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // the user of this process does
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return nil, errors.Join(ErrNotInstalled, err)
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) command(program string, arguments ...string) *exec.Cmd {
	command := exec.Command(program, arguments...)
	command.Dir = s.folder
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return command
}

// DSN is the address of the database.
func (s *Server) DSN() string { return "host=" + s.folder + " user=operator dbname=postgres" }

// Start starts the server and waits until it takes connections. After Kill it is tried again while
// the old one's processes, which are not its children any more, still end.
func (s *Server) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if err := s.launch(); err != nil {
			return err
		}
		err := s.awaitConnections(ctx)
		if !errors.Is(err, errEnded) || ctx.Err() != nil {
			return err
		}
		pause(ctx)
	}
}

var errEnded = errors.New("PostgreSQL ended at its start")

func (s *Server) launch() error {
	s.process = s.command(s.program, "-D", s.data(), "-k", s.folder, "-c", "listen_addresses=", "-c", "max_connections=60")
	if err := s.process.Start(); err != nil {
		return err
	}
	process, ended := s.process, make(chan struct{})
	s.ended = ended
	go func() { _ = process.Wait(); close(ended) }()
	return nil
}

func (s *Server) awaitConnections(ctx context.Context) error {
	for {
		connection, err := pgx.Connect(ctx, s.DSN())
		if err == nil {
			return connection.Close(ctx)
		}
		select {
		case <-s.ended:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL takes no connections: %w", err)
		default:
			pause(ctx)
		}
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}

// Kill ends the server and everything that it started at once, as a power failure does.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL) // it may have ended
	<-s.ended
	s.process = nil
}
