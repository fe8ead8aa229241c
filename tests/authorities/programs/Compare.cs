using System;
using System.Reflection;

/// NuGet's order of versions, by the NuGet.Versioning that nuget.exe (the first argument) holds.
class Compare {
    static void Main(string[] arguments) {
        var type = Assembly.LoadFrom(arguments[0]).GetType("NuGet.Versioning.NuGetVersion");
        var parse = type.GetMethod("Parse", new[] { typeof(string) });
        for (string line; (line = Console.In.ReadLine()) != null;) {
            var pair = line.Split('\t');
            try {
                var left = (IComparable) parse.Invoke(null, new object[] { pair[0] });
                int order = left.CompareTo(parse.Invoke(null, new object[] { pair[1] }));
                Console.Out.WriteLine(order < 0 ? "<" : order > 0 ? ">" : "=");
            } catch (TargetInvocationException) {
                Console.Out.WriteLine("!");
            }
        }
    }
}
