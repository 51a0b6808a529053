/// One bare repository.
final class Repository {}
