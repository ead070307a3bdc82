//! The servers and their sources.

use lockage_test_matrix::{Binaries, DataFolder, LocalImage, PublishedImage, Server};

const fn data(folder: &'static str, size: &'static str) -> Option<DataFolder> {
    Some(DataFolder { folder, size })
}

/// The data folder of the local images.
const DATA: &str = "/data";

const fn postgres(
    version: &'static str,
    image: &'static str,
    suite: &'static str,
    arguments: &'static [&'static str],
    // The data folder of the published image.
    volume: &'static str,
) -> Server {
    Server {
        version,
        variable: "LOCKAGE_TEST_POSTGRES_URL",
        scheme: "postgres",
        published_image: Some(PublishedImage {
            image,
            port: 5432,
            user: "lockage",
            database: "lockage",
            query: "",
            environment: &[
                ("POSTGRES_USER", "lockage"),
                ("POSTGRES_PASSWORD", "{password}"),
                ("POSTGRES_DB", "lockage"),
                ("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256"),
                (
                    "POSTGRES_INITDB_ARGS",
                    "--auth-host=scram-sha-256 --no-sync",
                ),
            ],
            arguments: &["-c", "max_connections=300", "-c", "fsync=off"],
            data: data(volume, "150m"),
        }),
        local_image: Some(LocalImage {
            image,
            folder: "postgres",
            suite,
            arguments,
            data: data(DATA, "150m"),
        }),
        binaries: Some(Binaries::Postgres),
    }
}

const VOLUME: &str = "/var/lib/postgresql/data";

pub(super) const POSTGRES_13: Server =
    postgres("13", "postgres:13", "bullseye", &["VERSION=13"], VOLUME);
pub(super) const POSTGRES_15: Server =
    postgres("15", "postgres:15", "bookworm", &["VERSION=15"], VOLUME);
pub(super) const POSTGRES_17: Server =
    postgres("17", "postgres:17", "trixie", &["VERSION=17"], VOLUME);
pub(super) const POSTGRES_18: Server = postgres(
    "18",
    "postgres:18",
    "sid",
    &["VERSION=18"],
    "/var/lib/postgresql",
);

const fn mysql(
    version: &'static str,
    image: &'static str,
    local_image: Option<LocalImage>,
) -> Server {
    Server {
        version,
        variable: "LOCKAGE_TEST_MYSQL_URL",
        scheme: "mysql",
        published_image: Some(PublishedImage {
            image,
            port: 3306,
            user: "root",
            database: "lockage",
            query: "",
            environment: &[
                ("MYSQL_ROOT_PASSWORD", "{password}"),
                ("MYSQL_ROOT_HOST", "%"),
                ("MYSQL_DATABASE", "lockage"),
            ],
            arguments: &["--max-connections=300", "--skip-name-resolve"],
            data: data("/var/lib/mysql", "500m"),
        }),
        local_image,
        binaries: None,
    }
}

/// Debian has no package of this version.
pub(super) const MYSQL_8_4: Server = mysql("8.4", "mysql:8.4", None);
pub(super) const MYSQL_9_7: Server = mysql(
    "9.7",
    "mysql:9.7",
    Some(LocalImage {
        image: "mysql:9.7",
        folder: "mysql",
        suite: "sid",
        arguments: &[],
        data: data(DATA, "400m"),
    }),
);

const fn mariadb(
    version: &'static str,
    image: &'static str,
    suite: &'static str,
    arguments: &'static [&'static str],
) -> Server {
    Server {
        version,
        variable: "LOCKAGE_TEST_MARIADB_URL",
        scheme: "mariadb",
        published_image: Some(PublishedImage {
            image,
            port: 3306,
            user: "root",
            database: "lockage",
            query: "",
            environment: &[
                ("MARIADB_ROOT_PASSWORD", "{password}"),
                ("MARIADB_ROOT_HOST", "%"),
                ("MARIADB_DATABASE", "lockage"),
            ],
            arguments: &["--max-connections=300", "--skip-name-resolve"],
            data: data("/var/lib/mysql", "400m"),
        }),
        local_image: Some(LocalImage {
            image,
            folder: "mariadb",
            suite,
            arguments,
            data: data(DATA, "150m"),
        }),
        binaries: Some(Binaries::Mariadb),
    }
}

pub(super) const MARIADB_10_5: Server =
    mariadb("10.5", "mariadb:10.5", "bullseye", &["SUFFIX=-10.5"]);
pub(super) const MARIADB_10_11: Server = mariadb("10.11", "mariadb:10.11", "bookworm", &[]);
pub(super) const MARIADB_11_8: Server = mariadb("11.8", "mariadb:11.8", "trixie", &[]);

/// Only the local image configures the nodes as a cluster.
const fn galera(version: &'static str, image: &'static str, suite: &'static str) -> Server {
    Server {
        version,
        variable: "LOCKAGE_TEST_MARIADB_URL",
        scheme: "mariadb",
        published_image: None,
        local_image: Some(LocalImage {
            image,
            folder: "galera",
            suite,
            arguments: &[],
            // A node that cannot write leaves the cluster and exits.
            data: None,
        }),
        binaries: None,
    }
}

pub(super) const GALERA_10_11: Server = galera("10.11", "galera:10.11", "bookworm");
pub(super) const GALERA_11_8: Server = galera("11.8", "galera:11.8", "trixie");

/// No package exists, so the published image is the only one.
const fn sqlserver(version: &'static str, image: &'static str) -> Server {
    Server {
        version,
        variable: "LOCKAGE_TEST_SQLSERVER_URL",
        scheme: "sqlserver",
        published_image: Some(PublishedImage {
            image,
            port: 1433,
            user: "sa",
            database: "master",
            query: "?trustServerCertificate=true",
            environment: &[("ACCEPT_EULA", "Y"), ("MSSQL_SA_PASSWORD", "{password}")],
            arguments: &[],
            data: None,
        }),
        local_image: None,
        binaries: None,
    }
}

pub(super) const SQLSERVER_2019: Server =
    sqlserver("2019", "mcr.microsoft.com/mssql/server:2019-latest");
pub(super) const SQLSERVER_2022: Server =
    sqlserver("2022", "mcr.microsoft.com/mssql/server:2022-latest");
