<?php
// Composer's order of versions: normalised, then compared as its constraints do, in which branches have no order.
require '/usr/share/php/Composer/Semver/autoload.php';

$parser = new Composer\Semver\VersionParser();
$normal = function ($text) use ($parser) {
    try {
        $version = $parser->normalize($text);
        return strpos($version, 'dev-') === 0 ? null : $version;
    } catch (UnexpectedValueException $refused) {
        return null;
    }
};
while (($line = fgets(STDIN)) !== false) {
    [$left, $right] = array_map($normal, explode("\t", rtrim($line, "\n")));
    echo $left === null || $right === null ? '!' : ['<', '=', '>'][version_compare($left, $right) + 1], "\n";
}
