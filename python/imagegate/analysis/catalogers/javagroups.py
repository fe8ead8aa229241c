"""Groups of artifacts whose archives have no pom.properties: those that projects build with Gradle, Ant or Tycho.

Without its group a package is not found in advisories, and what such manifests say leads elsewhere. The groups are
those that Maven Central has the artifacts in.
"""

from __future__ import annotations

import re
from functools import cache

_SPRING = "org.springframework"
_RULES: tuple[tuple[str, str], ...] = (
    (r"spring-(?:binding|build-src|faces|js|js-resources|webflow)", f"{_SPRING}.webflow"),
    (r"org\.springframework\.(?:binding|faces|js|webflow)", f"{_SPRING}.webflow"),
    (r"spring-cloud.*", f"{_SPRING}.cloud"),
    (r"spring-boot(?!-admin).*", f"{_SPRING}.boot"),
    (r"spring-(?:data|yarn)-.*|spring-cql|spring-yarn", f"{_SPRING}.data"),
    (r"spring-integration.*", f"{_SPRING}.integration"),
    (r"spring-batch.*", f"{_SPRING}.batch"),
    (r"spring-session.*", f"{_SPRING}.session"),
    (r"spring-security-kerberos-.*", f"{_SPRING}.security.kerberos"),
    (r"spring-security-(?:oauth|oauth-parent|oauth2)", f"{_SPRING}.security.oauth"),
    (r"spring-security-oauth2-autoconfigure", f"{_SPRING}.security.oauth.boot"),
    (r"spring-security-saml2-core|spring-security-saml-dsl-core", f"{_SPRING}.security.extensions"),
    (r"spring-security.*", f"{_SPRING}.security"),
    (r"spring-(?:amqp|erlang|rabbit)(?:-.*)?", f"{_SPRING}.amqp"),
    (r"spring-(?:ws|xml)", f"{_SPRING}.ws"),
    (r"spring-(analytics|flex|graphql|hateoas|kafka)", f"{_SPRING}.{{}}"),
    (r"spring-(credhub|social|vault)-core", f"{_SPRING}.{{}}"),
    (
        r"spring|spring-(?:agent|aop|asm|aspects|beandoc|beans|context(?:-indexer|-support)?|core(?:-test)?|dao|expression"
        r"|framework-bom|full|hibernate[23]?|ibatis|instrument(?:-tomcat)?|jca|jcl|jdbc|jdo|jms|jmx|jpa|ldap|messaging|mock"
        r"|ojb|orm|oxm|parent|portlet|r2dbc|remoting|struts|support|test|tomcat-weaver|toplink|tuple(?:-parent)?|tx|web"
        r"|webflux|webmvc(?:-portlet|-struts)?|websocket)",
        _SPRING,
    ),
    (r"spring-velocity-support|velocity(?:-engine-(?:core|parent|scripting)|-tools)?", "org.apache.velocity"),
    (r"bc(?:jmail|mail|pg|pkix|pqc|prov|tls|tsp|util)-.*|bc-fips(?:-debug)?", "org.bouncycastle"),
    (r"elasticsearch-rest-(?:client(?:-sniffer)?|high-level-client)", "org.elasticsearch.client"),
    (r"elasticsearch(?:-.*)?", "org.elasticsearch"),
    (
        r"kafka_2\..*|kafka-(?:perf_2\..*|streams(?:-.*)?|clients|examples|group-coordinator|hadoop-(?:consumer|producer)"
        r"|java-examples|log4j-appender|metadata|raft|server-common|shell|storage(?:-api)?|tools(?:-api)?)",
        "org.apache.kafka",
    ),
    (r"apache-geode|geode-.*", "org.apache.geode"),
    (r"tapestry5?-.*", "org.apache.tapestry"),
    (
        r"groovy|groovy-(?:all(?:-.*)?|ant|astbuilder|backports-compat23|binary|bom|bsf|cli-(?:commons|picocli)|console"
        r"|datetime|dateutil|docgenerator|eclipse-(?:batch|compiler)|groovydoc|groovysh|jaxb|jdk14|jmx|json(?:-direct)?"
        r"|jsr223|macro|nio|servlet|sql|swing|templates|test(?:-junit5)?|testng|tests-vm8|xml|xmlrpc|yaml)",
        "org.codehaus.groovy",
    ),
    (r"tomcat-embed-.*", "org.apache.tomcat.embed"),
    (
        r"tomcat|tomcat7-websocket|tomcat-(?:(?:annotations|api|catalina|coyote|dbcp|el-api|i18n|jasper|jaspic-api|jdbc|jni"
        r"|jsp-api|juli|servlet-api|spdy|ssi|storeconfig|tribes|util|websocket)(?:-.*)?)",
        "org.apache.tomcat",
    ),
    (r"ratpack-.*", "io.ratpack"),
    (r"commons-jelly(?:-.*)?", "commons-jelly"),
    (
        r"ant|ant-(?:apache-.*|antlr|antunit|commons-(?:logging|net)|compress|dotnet|imageio|jai|jakartamail|javamail|jdepend"
        r"|jmf|jsch|junit4?|junitlauncher|launcher|netrexx|nodeps|parent|starteam|stylebook|swing|testutil|trax|weblogic|xz)",
        "org.apache.ant",
    ),
    (
        r"graphql-(?:java(?:-.*)?|rxjava|spring-boot-.*)|(?:graphiql|voyager)-spring-boot-.*|java-dataloader",
        "com.graphql-java",
    ),
    (r"apoc(?:-(?:common|core|extended|processor|test-utils))?", "org.neo4j.procedure"),
    (r"cassandra-(?:all|clientutil|javautils|parent|thrift)", "org.apache.cassandra"),
    (r"reactor-netty-incubator-quic", "io.projectreactor.netty.incubator"),
    (r"reactor-netty(?:-core|-http|-http-brave)?", "io.projectreactor.netty"),
    (r"minio(?:-admin|-java)?", "io.minio"),
    (r"(commons-codec|commons-logging|xalan)", "{}"),
    (r"okhttp", "com.squareup.okhttp3"),
    (r"okio", "com.squareup.okio"),
    (
        r"org\.eclipse\.(?:ant|compare|core|cvs|debug|e4|equinox|help|jface|jsch|ltk|osgi|platform|rcp|releng|sdk|search|swt"
        r"|team|text|tips|tools|ui|update|urischeme)(?:\..*)?",
        "org.eclipse.platform",
    ),
)


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], str], ...]:
    # Takes some milliseconds, which starts that read no archive do not pay.
    return tuple((re.compile(pattern), group) for pattern, group in _RULES)


def group_of(artifact: str) -> str:
    """Return the group of an artifact, empty when none is known."""
    for pattern, group in _compiled():
        if match := pattern.fullmatch(artifact):
            return group.format(*match.groups())
    return ""
